"""Methods that carry the law of a state from one observation to the next."""
