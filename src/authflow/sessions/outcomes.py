"""What the rules of a session have in common: how it is entered, and how it or a pending sign-in is over."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from authflow.errors import Code
from authflow.facts import sessions as facts
from authflow.machine import Step
from authflow.sessions import commands as answers
from authflow.sessions import standing
from authflow.sessions.states import Anonymous, Ended, EndReason, EnrollmentOpen, FactorOwed, Pending, SignedIn
from authflow.values import Refused

if TYPE_CHECKING:
    from datetime import datetime

    from authflow.policy import SessionPolicy
    from authflow.sessions.commands import Findings
    from authflow.sessions.states import Handle, Personal, Session
    from authflow.values import OrganizationId, Proof, UserId

SessionAnswer = (
    answers.SignedIn
    | answers.SecondFactorOwed
    | answers.EnrollmentOwed
    | answers.Elevated
    | answers.OthersEnded
    | answers.SignInCancelled
    | answers.SignedOut
    | Refused
)
"""Every answer of the machine."""


def signed_in(
    handle: Handle, user: UserId, *, epoch: int, proofs: tuple[Proof, ...], policy: SessionPolicy, now: datetime
) -> Step[SignedIn, answers.SignedIn]:
    """Return the step that signs *user* in."""
    state = SignedIn(handle=handle, expires_at=now + policy.lifetime, user=user, epoch=epoch, proofs=proofs, since=now)
    methods = ",".join(proof.method.value for proof in proofs)
    answer = answers.SignedIn(user=user, level=standing.level(proofs))
    return Step(state, answer, (facts.SignedIn(user=user, methods=methods),))


def proven(state: SignedIn, proof: Proof, digest: bytes) -> SignedIn:
    """Return *state* with *proof*; the handle is renewed only if more is open than before."""
    proofs = standing.with_proof(state.proofs, proof)
    return SignedIn(
        handle=state.handle.renewed(digest) if standing.rises(state.proofs, proofs) else state.handle,
        expires_at=state.expires_at,
        user=state.user,
        epoch=state.epoch,
        proofs=proofs,
        since=state.since,
        lapsed=state.lapsed - {own.method for own in standing.own((proof,))},
        aged=state.aged - {mark.link for mark in standing.marks((proof,))},
    )


def owed(state: Pending, found: Findings) -> SessionAnswer:
    """Return what a pending sign-in waits for."""
    if isinstance(state, FactorOwed):
        left = found.policy.pending_login_failures - found.failures
        return answers.SecondFactorOwed(expires_at=state.expires_at, attempts_left=left)
    return answers.EnrollmentOwed(expires_at=state.expires_at, link_redeemed=isinstance(state, EnrollmentOpen))


def abandoned(state: Pending, reason: EndReason, found: Findings, now: datetime) -> Step[Anonymous, Refused]:
    """Return the step after which nobody is pending here; the browser's row stays, so that a consent survives."""
    after = Anonymous(handle=state.handle, expires_at=now + found.policy.anonymous_ttl)
    over = facts.PendingSignInEnded(user=state.user, reason=reason.value)
    return Step(after, Refused(code=Code.SESSION_NO_PENDING_LOGIN), (over,))


def without(
    state: Personal, organization: OrganizationId, found: Findings, now: datetime
) -> Step[SignedIn | Pending | Anonymous, Refused | None]:
    """Return the step after which *state* has no proof that *organization*'s provider gave (decision 15)."""
    if isinstance(state, SignedIn):
        kept = tuple(proof for proof in state.proofs if proof.organization != organization)
        return Step(attrs.evolve(state, proofs=kept), None)
    if state.proof.organization != organization:
        return Step(state, None)
    return abandoned(state, EndReason.ENDED_ELSEWHERE, found, now)


def ended(state: Session, reason: EndReason) -> Step[Ended, Refused]:
    """Return the step after which the row is over for good, until it is swept when it would have expired."""
    after = Ended(handle=state.handle, expires_at=state.expires_at, reason=reason)
    return Step(after, Refused(code=Code.SESSION_ENDED))
