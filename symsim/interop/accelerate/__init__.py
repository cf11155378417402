"""The YAML of accelerate's launcher, read and written."""
