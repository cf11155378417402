"""torchtitan: launch lines, the configuration that a run saves or logs, TOML up to 0.2."""
