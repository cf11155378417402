"""Mutants of the compiler, and the tests that should notice them."""
