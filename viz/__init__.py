"""Graphs and gradients a person can see."""
