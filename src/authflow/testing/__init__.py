"""The harness: explorer, clocks, strategies and contract suites, for our tests and for a host's own."""

from authflow.testing.clocks import ManualClock, SeededEntropy
from authflow.testing.explorer import Answered, Exploration, Illegal, assert_complete, explore
from authflow.testing.people import add_organization, add_user

__all__ = [
    "Answered",
    "Exploration",
    "Illegal",
    "ManualClock",
    "SeededEntropy",
    "add_organization",
    "add_user",
    "assert_complete",
    "explore",
]
