"""How the layers of a model are connected: channel groups, what is dead, and how it is removed."""
