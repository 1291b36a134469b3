"""Laws of the time between resets, and the filters that they make."""
