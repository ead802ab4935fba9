"""The harness in Python: run suites, load runs, build suites; `harness.X` finds its names here, one by one."""
