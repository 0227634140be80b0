"""A gradient as a sum over paths: counted, the largest found, listed and drawn."""

from viz.path_sums.paths import Path, Paths, paths

__all__ = ["Path", "Paths", "paths"]
