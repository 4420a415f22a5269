"""Pruning without training: the kept weights are re-fitted on calibration data."""
