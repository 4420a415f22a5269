"""A folder of results: where its files are, what is remembered, what is made and drawn."""
