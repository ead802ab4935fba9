"""What pytest runs when a session holds a suite: collection, items, the session's end, scheduling under xdist."""
