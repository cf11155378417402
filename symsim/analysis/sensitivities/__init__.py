"""How an answer follows each name: slopes, steps, switches, and what a better machine is worth."""
