"""The operators' page: a blueprint, its guard, and what it knows of the running server."""
