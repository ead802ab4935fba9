"""Arms from different places side by side: a git tree's beside the working tree's, and those of stored runs."""
