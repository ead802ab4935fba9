"""A project: its settings, its inventory, its health."""
