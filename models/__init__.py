"""Networks: build, train, prune, evaluate."""
