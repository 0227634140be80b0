"""Which boxes there are: from nodes to a graph that can be read, collapsed by scope where there are many."""
