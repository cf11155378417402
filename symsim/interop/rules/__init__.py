"""Rules that are text: what the keys of another tool's file say of a model or a strategy."""
