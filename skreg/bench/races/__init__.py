"""Speed and memory beside peers, one file per area."""
