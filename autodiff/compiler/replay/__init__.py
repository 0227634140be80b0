"""From a program of arrays to calls in buffers, forward and backward; ``numpy_backend`` runs them."""
