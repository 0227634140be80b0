"""Lessons that run: ``python -m examples`` lists them."""
