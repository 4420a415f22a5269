"""Compression: quantization, quantization-aware training, `.npk` files, and runtimes."""
