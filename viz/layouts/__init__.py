"""Where the boxes go, and how the arrows between them run: our own layout, Graphviz's, frames and loops."""
