"""Keras models: architectures, build, load and copy; kernels as matrices."""
