"""HTML pages: of an experiment, of a sweep, and the index of all experiments."""
