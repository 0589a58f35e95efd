"""Figures for operators: read from the rooms' plain integers, summed, told to Prometheus."""
