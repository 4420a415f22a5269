"""Many experiments beside each other: grids and searches on Ray."""
