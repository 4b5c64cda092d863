"""What a training did to a network."""
