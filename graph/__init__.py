"""How the layers of a model are connected: channel groups, dead channels and their removal."""
