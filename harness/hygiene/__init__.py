"""Keeping recordings in order: what lies there, whether it can be trusted, what nobody needs any more."""
