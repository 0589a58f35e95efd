"""Fuzzing: what hostile input does to each thing that reads it."""
