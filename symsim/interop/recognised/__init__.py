"""Files of planners and of machines: recognised, and refused with what to give instead."""
