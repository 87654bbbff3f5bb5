"""How often: on every commit as often as is affordable, every night as often as was promised."""

from __future__ import annotations

import os
from typing import Final, TypeVar

T = TypeVar("T")

NIGHTLY: Final = os.environ.get("AUTHFLOW_NIGHTLY") == "true"
"""Set by ``nox -s nightly``."""


def often(now: T, nightly: T) -> T:
    """Return *now*, or in the nightly session *nightly*."""
    return nightly if NIGHTLY else now
