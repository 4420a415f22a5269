"""Really small: weights on few levels, small files, and the runtimes that run them."""
