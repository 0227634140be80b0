"""A forward and a backward pass that moves by itself, as one SVG."""

from viz.animation.animate import Animation, animate

__all__ = ["Animation", "animate"]
