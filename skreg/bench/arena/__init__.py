"""What benchmarks share: checks, views, networks, tasks and rivals."""
