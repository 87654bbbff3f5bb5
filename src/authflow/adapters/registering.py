"""Who a newcomer is in our own tables of people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from authflow.ports import User, UserAddress, generated_label

if TYPE_CHECKING:
    from authflow.sso.ports import Newcomer


def person_of(newcomer: Newcomer) -> User:
    """Return who *newcomer* is from now on.

    They are called by their id, which is random and so nobody else's: a username made of what a provider asserts
    may be somebody else's, or read as if it were (sso 6.6).
    """
    address = UserAddress(address=newcomer.address, primary=True, verified_at=newcomer.verified_at)
    return User(id=newcomer.id, label=generated_label(newcomer.id), name=newcomer.name, addresses=(address,))
