"""Invitations, single sign-on, second factors and policies, composed: the pure decisions, asked one after the other.

Each slice decides for itself, by a table of its own. Whether they agree with each other can be seen only where all of
them are asked about one person: that is done here, in the order in which the flows ask, for every combination of what
an installation can set and of what somebody can come with. Nothing is stored, and nobody else is asked.
"""

from authflow.testing.composition.cases import (
    Coming,
    Factor,
    Place,
    Provider,
    Result,
    SecondFactor,
    Settings,
    Way,
    comings,
    settings,
)
from authflow.testing.composition.composing import compose

__all__ = [
    "Coming",
    "Factor",
    "Place",
    "Provider",
    "Result",
    "SecondFactor",
    "Settings",
    "Way",
    "comings",
    "compose",
    "settings",
]
