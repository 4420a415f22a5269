"""Which weights go: five independent choices, the masks they make, and training under masks."""
