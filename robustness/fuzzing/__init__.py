"""Random inputs for every surface of symsim, and what each must come to."""
