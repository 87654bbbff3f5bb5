"""Everything that touches the world: clocks, randomness, keys, databases. Adapters import ports and states only."""
