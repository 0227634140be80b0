"""The gradient of a recurrent network, step by step back through time."""
