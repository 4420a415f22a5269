"""The pages that people browse: an experiment, a sweep, all of them."""
