"""Suites: their files, what they say, and what their cases come to."""
