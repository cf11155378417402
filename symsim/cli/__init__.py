"""The command line: one file a command, each a thin shell over :mod:`symsim.analysis`."""
