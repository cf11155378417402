"""The YAML of a Primus experiment."""
