"""DeepSpeed's ds_config.json, read and written."""
