"""Data sets by name, from verified files, or from files of the user."""
