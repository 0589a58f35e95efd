"""The load generator: one process, one core, one event loop; started by the runner."""
