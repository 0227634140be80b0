"""The same graph as a fast program: trace, simplify, find the matrix products again, replay."""
