"""What every method stands on: nets, the protocol, batches, memories."""
