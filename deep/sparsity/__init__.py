"""Networks with fewer weights: masks on weights and channels, and what they save."""
