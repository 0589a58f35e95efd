"""The commands that talk to a running server, as its applications do: over HTTP and WebSocket."""
