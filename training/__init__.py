"""Training, testing and retraining of networks, dense and pruned."""
