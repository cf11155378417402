"""Constants fitted to measurements: cases, tables, errors held out, and the accuracy that is shown."""
