"""Layers on tensors: what a model of the array tier is made of, one kind of layer a file."""
