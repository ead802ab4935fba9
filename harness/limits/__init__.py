"""Limits on what is sent: when again, how fast, how long, at what cost, and when no more."""
