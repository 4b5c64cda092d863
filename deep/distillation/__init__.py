"""Networks that teach networks."""
