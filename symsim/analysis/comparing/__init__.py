"""Two plans compared: terms that differ, and the choices that make the difference."""
