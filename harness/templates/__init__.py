"""Bounded Jinja: the engine, its sandbox and what it may cost."""
