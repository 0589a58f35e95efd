"""Application managers: where applications come from."""
