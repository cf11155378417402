"""Hugging Face configurations: ``config.json`` as a model."""
