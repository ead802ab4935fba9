"""Versioned prompts: files, front matter, chat blocks, git references."""
