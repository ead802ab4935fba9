"""What can go wrong outside, each as one entry: how it is made to happen, what the harness does, what the bare SDK does.

Entries are asserted by `test_faults.py` and shown in `docs/faults.md`. Add one to a module of rows, and the module to `rows.py`.
"""
