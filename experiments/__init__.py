"""A folder of results: its files, its record and lock, its networks, tables and figures."""
