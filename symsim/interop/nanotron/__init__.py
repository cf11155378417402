"""The YAML of nanotron, read and written."""
