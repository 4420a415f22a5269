"""Which weights are removed: five independent choices, and the masks that they make."""
