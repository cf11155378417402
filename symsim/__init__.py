"""symsim: a symbolic cost-model compiler for training large language models.

Importing this package loads nothing heavy; sympy comes in when a formula is built, numpy when
arrays are evaluated.
"""

__version__ = "0.1.0"
