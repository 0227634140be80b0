"""Models built on nodes; gradients follow from the graph, never by hand."""
