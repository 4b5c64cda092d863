"""The benchmarks that come with skreg, one file each."""
