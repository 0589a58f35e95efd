"""Fizz: a self-hosted WebSocket server for the Pusher Channels protocol.

Importing the package imports nothing else, so that ``__main__`` can patch first.
"""

__version__ = "0.1.0"
