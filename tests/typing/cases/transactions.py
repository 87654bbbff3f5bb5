# pyright: strict
"""Distinct types for distinct strings, and transactions that lack a repository: rejected where marked."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol, assert_type

from authflow.ports import Organization, Stored, Transaction, UnitOfWork, User
from authflow.values import OrganizationId, Secret, UserId


class Letters(Protocol):
    def get(self, user: UserId) -> Stored[str] | None: ...


class PostTransaction(Transaction, Protocol):
    @property
    def letters(self) -> Letters: ...


class Parcels(Protocol):
    def count(self, organization: OrganizationId) -> int: ...


class ParcelTransaction(Transaction, Protocol):
    @property
    def parcels(self) -> Parcels: ...


class BothTransaction(PostTransaction, ParcelTransaction, Protocol): ...


def deliver(unit_of_work: UnitOfWork[PostTransaction], user: UserId) -> str | None:
    with unit_of_work.begin() as tx:
        letter = tx.letters.get(user)
        assert_type(tx.users.get(user), User | None)
    return letter.state if letter is not None else None


def accepted(both: UnitOfWork[BothTransaction], post: UnitOfWork[PostTransaction]) -> None:
    deliver(both, UserId("u1"))
    deliver(post, UserId("u1"))


def rejected(
    plain: UnitOfWork[Transaction], parcels: UnitOfWork[ParcelTransaction], post: UnitOfWork[PostTransaction]
) -> None:
    deliver(plain, UserId("u1"))  # rejected: this transaction has no letters
    deliver(parcels, UserId("u1"))  # rejected: neither has this
    deliver(post, "u1")  # rejected: text is no user
    deliver(post, OrganizationId("o1"))  # rejected: an organization is no user
    with post.begin() as tx:
        tx.organizations.get(UserId("u1"))  # rejected: a user is no organization
        tx.parcels.count(OrganizationId("o1"))  # rejected: no such repository here


def shown(secret: Secret, organization: Organization, now: datetime) -> None:
    text: str = secret  # rejected: a secret is revealed by name only
    print(text + secret.reveal(), now)
    organization.active = False  # rejected: values are frozen
