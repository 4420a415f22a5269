"""Training, evaluation and retraining of dense and pruned networks."""
