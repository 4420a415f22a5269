"""Data sets by name, from verified bytes."""
