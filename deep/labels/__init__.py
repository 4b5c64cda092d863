"""Wrong and soft labels."""
