"""Running: trials, the job around them, and what it is expected to cost."""
