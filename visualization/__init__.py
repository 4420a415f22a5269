"""Finished numbers in, tables and pictures out. Nothing here needs TensorFlow or a live model."""
