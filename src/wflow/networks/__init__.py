"""Networks as flows."""
