"""What is known here: channels, connections and what waits for them. Memory only, never waits."""
