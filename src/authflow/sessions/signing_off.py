"""What is left of a session when an organization's provider ends its own one: what it proved to nobody else stays.

A provider speaks for its organization and for no other (decision 1): a session that is somebody's for another reason
too, a password or another organization's provider, only loses this one's word.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from authflow.machine import Step
from authflow.sessions import outcomes, standing
from authflow.sessions.states import Anonymous, Ended, EndReason, SignedIn

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

    from authflow.machine import Fact
    from authflow.sessions.commands import Findings
    from authflow.sessions.ports import SessionsTransaction
    from authflow.sessions.states import Personal, Session
    from authflow.values import Proof, ProviderId, SessionId, UserId


def signed_off(state: Personal, provider: ProviderId, found: Findings, now: datetime) -> Step[Session, object] | None:
    """Return the step after which *state* has nothing by *provider*; none where it has nothing by it now.

    A session that stands on nothing else is over, and so is a sign-in that waits for something.
    """
    if not isinstance(state, SignedIn):
        return outcomes.abandoned(state, EndReason.ENDED_ELSEWHERE, found, now) if _by(state.proof, provider) else None
    kept = tuple(proof for proof in state.proofs if not _by(proof, provider))
    if kept == state.proofs:
        return None
    if standing.marks(kept) or any(proof.method in standing.FIRST for proof in standing.own(kept)):
        return Step(attrs.evolve(state, proofs=kept), None)
    return outcomes.ended(state, EndReason.ENDED_ELSEWHERE)


def sign_off(
    tx: SessionsTransaction,
    sessions: Collection[SessionId],
    *,
    user: UserId,
    provider: ProviderId,
    found: Findings,
    now: datetime,
) -> tuple[int, tuple[Fact, ...]]:
    """Let *sessions* lose what *user*, who is held, has there by *provider*; return how many did, and what to tell.

    One that is somebody else's by now is left alone: people follow each other in a browser.

    Raises:
        StaleVersion: One of them was changed by somebody who does not hold its person.
    """
    count, told = 0, list["Fact"]()
    for session in sessions:
        stored = tx.sessions.load(session)
        if stored is None or isinstance(stored.state, Anonymous | Ended) or standing.owner(stored.state) != user:
            continue
        step = signed_off(stored.state, provider, found, now)
        if step is not None:
            tx.sessions.save(step.state, expected=stored.version)
            count, told = count + 1, [*told, *step.facts]
    return count, tuple(told)


def _by(proof: Proof, provider: ProviderId) -> bool:
    return proof.provider == provider
