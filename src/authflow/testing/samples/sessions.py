"""Persons, proofs and rows for the tests of sessions, and the alphabet of ``sessions.session``."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from authflow.policy import SessionPolicy
from authflow.sessions.commands import (
    AdoptEpoch,
    Cancel,
    Establish,
    Fail,
    Findings,
    FinishEnrollment,
    Look,
    Person,
    Prove,
    Redeem,
    SignOut,
)
from authflow.sessions.session import MACHINE
from authflow.sessions.standing import owner
from authflow.sessions.states import Anonymous, FactorOwed, Handle, ResetLink, Session, SignedIn
from authflow.testing.clocks import START
from authflow.testing.samples.alphabet import Alphabet
from authflow.values import LinkId, Method, OrganizationId, Proof, ProviderId, SessionId, UserId

if TYPE_CHECKING:
    from collections.abc import Iterator

    from authflow.sessions.commands import Command

POLICY: Final = SessionPolicy()
SECOND: Final = timedelta(seconds=1)
ANNE, BEN = UserId("anne"), UserId("ben")
ACME: Final = OrganizationId("acme")
ACME_IDP: Final = ProviderId("acme-idp")
ACME_LINK: Final = LinkId("acme-link")
FRESH: Final = b"\x01" * 32
"""The digest of the secret that a command carries for a renewed value."""


def handle(generation: int = 1) -> Handle:
    """Return the handle of a row."""
    return Handle(id=SessionId("row"), digest=b"\x00" * 32, generation=generation, created_at=START)


def anonymous() -> Anonymous:
    """Return a browser that nobody has signed in."""
    return Anonymous(handle=handle(), expires_at=START + POLICY.anonymous_ttl)


def proof(method: Method, at: datetime = START, organization: OrganizationId | None = None) -> Proof:
    """Return a proof of *method*."""
    return Proof(method=method, at=at, organization=organization)


def sso(
    at: datetime = START,
    organization: OrganizationId = ACME,
    provider: ProviderId = ACME_IDP,
    link: LinkId | None = ACME_LINK,
) -> Proof:
    """Return a proof by an organization's provider."""
    return Proof(method=Method.SSO, at=at, organization=organization, provider=provider, link=link)


def signed_in(*proofs: Proof) -> SignedIn:
    """Return a session of Anne that holds *proofs*."""
    expires_at = START + POLICY.lifetime
    return SignedIn(handle=handle(), expires_at=expires_at, user=ANNE, epoch=1, proofs=proofs, since=START)


def factor_owed(given: Proof | None = None) -> FactorOwed:
    """Return a pending sign-in of Anne, by default with a password."""
    return FactorOwed(
        handle=handle(),
        expires_at=START + POLICY.pending_login_ttl,
        user=ANNE,
        epoch=1,
        proof=given or proof(Method.PASSWORD),
        since=START,
    )


def link(user: UserId = ANNE, expires_at: datetime = START + timedelta(hours=24)) -> ResetLink:
    """Return the link of an administrator's reset."""
    return ResetLink(user=user, digest=b"\x02" * 32, expires_at=expires_at)


def found(person: Person | None = None, failures: int = 0) -> Findings:
    """Return what was read about *person*."""
    return Findings(policy=POLICY, person=person, failures=failures)


PLAIN: Final = Person(user=ANNE)
PROTECTED: Final = Person(user=ANNE, has_factor=True)
RESET: Final = Person(user=ANNE, enrollment_required=True)
GONE: Final = Person(user=ANNE, active=False)
ROTATED: Final = Person(user=ANNE, epoch=2)
OTHER: Final = Person(user=BEN)

PERSONS: Final = (PLAIN, PROTECTED, RESET, GONE, ROTATED, OTHER)

MOMENTS: Final = (
    START,
    START + 2 * SECOND,
    START + POLICY.elevation_age + 10 * SECOND,
    START + POLICY.lifetime + timedelta(days=1),
)
"""When the walk tries its commands; the clock of the walk goes back as often as forwards."""

GENERATIONS: Final = 2
"""How often a row is renewed before the walk lets it be: each renewal makes new states for ever."""


def first_factors(now: datetime) -> Iterator[Proof]:
    """Yield what a sign-in may begin with."""
    yield proof(Method.PASSWORD, now)
    yield sso(now)
    yield proof(Method.TOTP, now)


def second_factors(now: datetime) -> Iterator[Proof]:
    """Yield what may follow it."""
    yield proof(Method.TOTP, now)
    yield proof(Method.PASSWORD, now)


def commands(state: Session) -> Iterator[tuple[Command, datetime]]:
    """Yield every command that differs for this state, at every moment."""
    if state.handle.generation > GENERATIONS:
        return
    for now in MOMENTS:
        yield from ((command, now) for command in _of(state, now))


def _of(state: Session, now: datetime) -> Iterator[Command]:
    yield SignOut()
    for person in PERSONS:
        for given in first_factors(now):
            yield Establish(policy=POLICY, person=person, proof=given, digest=FRESH)
    for read in map(found, PERSONS if owner(state) is not None else (None,)):
        yield from _of_owned(read, now)
    if isinstance(state, FactorOwed):
        yield from _of_owned(found(PROTECTED, POLICY.pending_login_failures), now)


def _of_owned(read: Findings, now: datetime) -> Iterator[Command]:
    yield Look(found=read)
    yield Fail(found=read)
    yield Cancel(found=read)
    yield AdoptEpoch(found=read, alive=3, reason="asked", digest=FRESH)
    for given in second_factors(now):
        yield Prove(found=read, proof=given, digest=FRESH)
        yield FinishEnrollment(found=read, proof=given, alive=3, reason="factor_enrolled", digest=FRESH)
    for presented in (None, link(), link(BEN), link(expires_at=now)):
        yield Redeem(found=read, link=presented)


ALPHABET: Final = Alphabet(
    machine=MACHINE,
    start=(anonymous(), signed_in(proof(Method.PASSWORD), proof(Method.TOTP))),
    commands=commands,
    limit=400_000,
)
