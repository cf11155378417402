"""Why a plan takes what it takes, what binds it, and what would fix it."""
