"""Sweeps: many experiments in parallel on Ray, as a grid or a search."""
