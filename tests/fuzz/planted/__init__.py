"""Targets with a known fault, so that finding faults is tested too."""
