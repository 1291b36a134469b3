"""Reports: pages of one file that need no network, from arrays and texts."""
