"""Browsers that are known again: which one presents its value, and which ones are forgotten (decision 9)."""

from __future__ import annotations

import hmac
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from authflow.sessions.states import Device
from authflow.values import token_digest

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from authflow.sessions.ports import Devices
    from authflow.values import Secret, UserId


NOTED_EVERY: Final = timedelta(hours=1)
"""How far the last use of a browser may lie behind: it decides only which one is forgotten for one too many, among
browsers that are known for weeks, and is not worth a write at each sign-in."""


def known(devices: Sequence[Device], value: Secret | None) -> Device | None:
    """Return the browser whose *value* it is, or none; every one is compared, each in constant time."""
    if value is None:
        return None
    digest = token_digest(value)
    found = [device for device in devices if hmac.compare_digest(device.digest, digest)]
    return found[0] if found else None


def presented_key(value: Secret | None) -> str | None:
    """Return what names the browser that presents *value* in a budget's key, if it is known at all."""
    return None if value is None else token_digest(value).hex()


def budget_key(device: Device) -> str:
    """Return what names this browser in a budget's key: its digest, which opens nothing."""
    return device.digest.hex()


def surplus(devices: Sequence[Device], *, limit: int) -> Sequence[Device]:
    """Return those of *devices*, least recently used first, that have to go so that one more is within *limit*."""
    return devices[: max(len(devices) - limit + 1, 0)]


def give(
    devices: Devices, user: UserId, presented: Secret | None, *, minted: Secret, limit: int, now: datetime
) -> Secret | None:
    """Remember this browser of *user* after a completed second factor.

    Returns:
        The value that the host puts into a long-lived cookie; none if the browser is known by the value it has,
        or if no browsers are to be known.
    """
    mine = devices.of_user(user)
    recognized = known(mine, presented)
    if recognized is not None:
        if now - recognized.last_used_at >= NOTED_EVERY:
            devices.touch(recognized.digest, now)
        return None
    if limit == 0:
        return None
    for old in surplus(mine, limit=limit):
        devices.remove(old.digest)
    devices.add(Device(user=user, digest=token_digest(minted), created_at=now, last_used_at=now))
    return minted
