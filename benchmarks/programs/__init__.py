"""One program for each library that is measured. Each runs in its own environment and speaks `benchmarks.protocol`."""
