"""Sockets: HTTP in and out, the upgrade, frames read, everything written."""
