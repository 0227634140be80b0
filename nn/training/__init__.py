"""Training: fit, what goes on in it, and what can be asked of a trained model."""
