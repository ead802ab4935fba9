"""Limits on what is sent: when again, how fast, how long, and when no more."""
