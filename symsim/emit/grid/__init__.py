"""Programs over whole grids of plans: each register on the axes it depends on, stages by a few of them, bounds."""
