"""Two plans beside each other: terms that differ, and the choices that make the difference."""
