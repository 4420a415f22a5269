"""Experiments, exports and sweeps as data: every setting, its default and its bounds."""
