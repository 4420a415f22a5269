"""Really small: a network without its dead parts."""
