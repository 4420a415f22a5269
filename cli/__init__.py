"""Shared by all commands: their start and end, flags from settings, messages."""
