"""From single numbers to blocks of rows: terms of sums, times, places, views; ``reroll`` makes arrays of them."""
