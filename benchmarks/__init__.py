"""How fast authflow is, beside its peers and beside the same thing written by hand: ``python -m benchmarks``."""
