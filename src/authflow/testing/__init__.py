"""The harness: explorer, clocks, strategies and contract suites, for our tests and for a host's own."""

from authflow.testing.clocks import ManualClock, SeededEntropy
from authflow.testing.explorer import Answered, Exploration, Illegal, assert_complete, explore

__all__ = [
    "Answered",
    "Exploration",
    "Illegal",
    "ManualClock",
    "SeededEntropy",
    "assert_complete",
    "explore",
]
