"""Pruning: methods made of five independent choices, and the masks that they produce."""
