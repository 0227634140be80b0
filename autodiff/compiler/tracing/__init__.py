"""A function runs once, on nodes: its arguments, what it reaches beside them, and what is refused."""
