"""What is said: the wire, as values in and values out. Pure; nothing here waits or does I/O."""
