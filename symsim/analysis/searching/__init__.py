"""A space of plans searched whole: what is legal, what fits, what is best, and what to say where nothing is."""
