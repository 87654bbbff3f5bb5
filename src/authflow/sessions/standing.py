"""What a session's proofs are worth: pure functions over a row, the presented value and now."""

from __future__ import annotations

import hmac
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from authflow.errors import Code
from authflow.sessions.commands import Findings, Person
from authflow.sessions.states import (
    Anonymous,
    Ended,
    EndReason,
    EnrollmentOpen,
    EnrollmentOwed,
    FactorOwed,
    SignedIn,
)
from authflow.values import IDENTIFIER_MAX, Asker, Level, Mark, Method, SessionId, token_digest
from authflow.witness import gate

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

    from authflow.sessions.states import Handle, Pending, Personal, ResetLink, Session
    from authflow.values import BrowserSession, LinkId, Proof, Refused, UserId

FIRST: Final = frozenset({Method.PASSWORD, Method.MAILED_LINK})
"""First factors of a person's own. Single sign-on is none: it is an organization's word (decision 1)."""

SECOND: Final = frozenset({Method.TOTP, Method.RECOVERY_CODE})
"""Second factors."""

OWN: Final = FIRST | SECOND

_INSTANT: Final = timedelta(0)


# --- proofs ---------------------------------------------------------------------------------------------------------


def own(proofs: tuple[Proof, ...]) -> tuple[Proof, ...]:
    """Return the proofs of the person's own: what an organization's provider said is not among them (decision 1)."""
    return tuple(p for p in proofs if p.organization is None and p.method in OWN)


def level(proofs: tuple[Proof, ...]) -> Level:
    """Return how many different kinds of own proof there are: a first factor, a second factor (mfa 20.4)."""
    methods = {proof.method for proof in own(proofs)}
    return Level(bool(methods & FIRST) + bool(methods & SECOND))


def marks(proofs: tuple[Proof, ...], aged: Collection[LinkId] = ()) -> tuple[Mark, ...]:
    """Return the sign-ins through organizations' own providers: no other proof opens an organization (decision 2)."""
    return tuple(
        Mark(organization=p.organization, provider=p.provider, link=p.link, at=p.at, aged=p.link in aged)
        for p in proofs
        if p.method is Method.SSO and p.organization is not None and p.provider is not None
    )


def rises(before: tuple[Proof, ...], after: tuple[Proof, ...]) -> bool:
    """Tell whether *after* opens something that *before* did not: the host must change its session id then."""
    return level(after) > level(before) or not _entered(after) <= _entered(before)


def _entered(proofs: tuple[Proof, ...]) -> set[tuple[object, ...]]:
    """Return what the marks open; another link of the same person at the same provider is another thing."""
    return {(mark.organization, mark.provider, mark.link) for mark in marks(proofs)}


def with_proof(proofs: tuple[Proof, ...], proof: Proof) -> tuple[Proof, ...]:
    """Return *proofs* with *proof* as the newest of its method, organization and provider."""
    return (*(p for p in proofs if _place(p) != _place(proof)), proof)


def _place(proof: Proof) -> tuple[object, ...]:
    return (proof.method, proof.organization, proof.provider)


def is_first_factor(proof: Proof, now: datetime, *, max_age: timedelta) -> bool:
    """Tell whether a sign-in may begin with *proof*: recent, a first factor, and said by whom it belongs to.

    A link that was mailed for a sign-in through a provider is bound to that one. It begins a sign-in, so that a second
    factor can be asked for, and opens nothing: it is neither the person's own proof nor the provider's (decision 20).
    """
    if not _INSTANT <= now - proof.at <= max_age:
        return False
    bound = proof.organization is not None and proof.provider is not None
    if proof.method is Method.SSO or (proof.method is Method.MAILED_LINK and bound):
        return bound and (proof.link is None or proof.method is Method.SSO)
    return proof.method in FIRST and (proof.organization, proof.provider, proof.link) == (None, None, None)


def is_second_factor(proof: Proof, now: datetime, *, max_age: timedelta) -> bool:
    """Tell whether *proof* is a recent second factor of the person's own."""
    return proof.method in SECOND and bool(own((proof,))) and _INSTANT <= now - proof.at <= max_age


# --- elevation ------------------------------------------------------------------------------------------------------


def elevated(state: Session, now: datetime, *, has_factor: bool, max_age: timedelta) -> bool:
    """Tell whether the person proved recently, and at their highest level, who they are (decisions 1, 5, 6).

    Whoever has a second factor needs a session of level 2 and a recent second factor: a password alone, however
    recent, elevates nothing (mfa 18.2). Whoever has none needs any recent proof of their own.
    """
    if not isinstance(state, SignedIn):
        return False
    recent = {p.method for p in own(state.proofs) if _INSTANT <= now - p.at <= max_age} - state.lapsed
    if has_factor:
        return level(state.proofs) is Level.TWO and bool(recent & SECOND)
    return bool(recent)


def lapsed(state: SignedIn, now: datetime, *, max_age: timedelta) -> frozenset[Method]:
    """Return the methods whose own proof is, or once was seen to be, too old to elevate (decision 35)."""
    return state.lapsed | {proof.method for proof in own(state.proofs) if now - proof.at > max_age}


def aged(state: SignedIn, now: datetime, *, max_age: timedelta | None) -> frozenset[LinkId]:
    """Return the links by which the session signed on, and that is, or once was seen to be, too long ago (decision 35).

    The end of *max_age* is outside, as in `authflow.sso.access`.
    """
    if max_age is None:
        return state.aged
    return state.aged | {m.link for m in marks(state.proofs) if m.link is not None and now - m.at >= max_age}


# --- the row --------------------------------------------------------------------------------------------------------


def addressable(session: BrowserSession) -> bool:
    """Tell whether the value can name a row at all; anything else must not reach a database."""
    return 1 <= len(session.id) <= IDENTIFIER_MAX and session.id.isascii() and session.id.isprintable()


def recognize(handle: Handle, session: BrowserSession) -> Code | None:
    """Return none if the value opens the row, else why not: a superseded value, or a stranger's (decision 3)."""
    digest = token_digest(session.secret)
    present = hmac.compare_digest(digest, handle.digest)
    former = [hmac.compare_digest(digest, old) for old in handle.superseded]
    if present and session.generation == handle.generation:
        return None
    return Code.SESSION_SUPERSEDED if present or any(former) else Code.SESSION_REQUIRED


@gate
def unopened(row: Session | None, session: BrowserSession) -> Code | None:
    """Return none if the value opens *row*, else why not; there may be no row under its handle."""
    return Code.SESSION_REQUIRED if row is None else recognize(row.handle, session)


def owner(state: Session) -> UserId | None:
    """Return whose row it is, signed in or not yet; none for a row without a person."""
    return None if isinstance(state, Anonymous | Ended) else state.user


def over(state: Personal, found: Findings, now: datetime) -> EndReason | None:
    """Return why the row may not be used any more, or none.

    Looked at before every decision (mfa 15.2): its time, the person, the epoch, and the wrong answers so far.
    """
    if now >= state.expires_at:
        return EndReason.EXPIRED
    if found.person is None or found.person.user != state.user or not found.person.active:
        return EndReason.INACTIVE
    if found.person.epoch != state.epoch:
        return EndReason.ENDED_ELSEWHERE
    if isinstance(state, FactorOwed) and found.failures >= found.policy.pending_login_failures:
        return EndReason.TOO_MANY_ATTEMPTS
    return None


def redeemable(state: EnrollmentOwed, link: ResetLink | None, now: datetime) -> bool:
    """Tell whether *link* is for this row's person and still valid, and follows a first factor of their own."""
    return link is not None and link.user == state.user and now < link.expires_at and begun_by_themselves(state)


def begun_by_themselves(state: EnrollmentOwed) -> bool:
    """Tell whether the sign-in began with a proof of the person's own: a provider's word is none (decision 1).

    Neither is the link mailed beside that word: with the link of the reset, one mailbox would be all it took.
    """
    return bool(own((state.proof,)))


def pending_key(state: FactorOwed) -> str:
    """Return the key under which wrong answers to this very pending login are counted (decision 7)."""
    return f"session.pending:{state.handle.id}:{state.handle.generation}"


# --- who asks -------------------------------------------------------------------------------------------------------


def why_not(state: Anonymous | Pending | Ended) -> Code:
    """Return why nobody is signed in here."""
    match state:
        case Anonymous():
            return Code.SESSION_REQUIRED
        case FactorOwed():
            return Code.SESSION_SECOND_FACTOR_OWED
        case EnrollmentOwed() | EnrollmentOpen():
            return Code.SESSION_ENROLLMENT_OWED
        case Ended():
            return Code.SESSION_ENDED


def unchallenged(state: Anonymous | EnrollmentOwed | EnrollmentOpen | Ended) -> Code:
    """Return why no second factor may be answered here."""
    return Code.SESSION_NO_PENDING_LOGIN if isinstance(state, Anonymous) else why_not(state)


def asker(state: Session, found: Findings, now: datetime) -> Asker:
    """Return who asks, as every gate of the library looks at it. The row has been looked at just now."""
    if isinstance(state, Ended):
        return Asker(user=None, session=SessionId(""), why_not=why_not(state))  # nothing may hang on it any more
    if not isinstance(state, SignedIn):
        return Asker(user=None, session=state.handle.id, why_not=why_not(state))
    person = found.person or Person(user=state.user)
    max_age = found.policy.elevation_age
    return Asker(
        user=state.user,
        session=state.handle.id,
        level=level(state.proofs),
        factor_proven=any(proof.method in SECOND for proof in own(state.proofs)),
        elevated=elevated(state, now, has_factor=person.has_factor, max_age=max_age),
        marks=marks(state.proofs, state.aged),
        label=person.label,
    )


def stranger(refused: Refused) -> Asker:
    """Return who asks with a value that opens no row.

    A superseded value still names its row, so that a flow begun there can tell its own refusal (decisions 3, 28).
    """
    known = refused.code is Code.SESSION_SUPERSEDED
    return Asker(user=None, session=refused.session.id if known else SessionId(""), why_not=refused.code)


def enrolling_asker(state: Session, found: Findings, now: datetime) -> Asker:
    """Return who asks to enroll a second factor: the mailed link elevates for this, and for nothing else (mfa 20.6)."""
    if not isinstance(state, EnrollmentOpen) or found.person is None:
        return asker(state, found, now)
    return Asker(
        user=state.user,
        session=state.handle.id,
        level=level((state.proof,)),
        elevated=True,
        label=found.person.label,
    )
