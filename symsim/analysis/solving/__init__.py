"""The largest or smallest value of one name that satisfies conditions, and where two strategies break even."""
