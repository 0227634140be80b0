"""Files of models: checkpoints and weights, written whole or not at all, and read without trust."""
