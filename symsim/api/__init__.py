"""What ``import symsim`` offers: each function of the command line, for Python (docs/python.md)."""
