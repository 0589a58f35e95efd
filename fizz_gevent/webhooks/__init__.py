"""Telling back ends what has happened. Protocol: §13."""
