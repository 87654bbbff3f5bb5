"""Pipelines, and what goes on in them: the alphabet of ``sso.login``."""

from __future__ import annotations

from datetime import timedelta
from itertools import product
from typing import TYPE_CHECKING, Any, Final

import attrs

from authflow.errors import Code
from authflow.ports import Allowed, Limited
from authflow.sso.case import Choice, Known, Visitor
from authflow.sso.login import MACHINE, PROOF_LIFE
from authflow.sso.pipeline import LIFE, Flow, Handle, PipelineId, Present
from authflow.sso.progress import (
    Abandon,
    AddressMailed,
    AddressProven,
    Away,
    Choose,
    Identified,
    MailProof,
    OpenLink,
    Over,
    ProofMailed,
    Proven,
    Return,
    Why,
)
from authflow.testing.samples.alphabet import Alphabet
from authflow.testing.samples.sso import ACME, ACME_IDP, ADA, GLOBEX, HOSTILE_IDP, MAILBOX, NOW, TICK, holder
from authflow.testing.samples.sso import identity as asserted
from authflow.values import Sealed, Secret, SessionId, token_digest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from authflow.sso.progress import Command, Login

STATE: Final = token_digest(Secret("state"))
TOKEN: Final = token_digest(Secret("token"))
FRESH_TOKEN: Final = token_digest(Secret("fresh token"))
WRONG: Final = token_digest(Secret("wrong"))
STEPS: Final = token_digest(Secret("steps"))
HERE: Final = SessionId("session-1")
BUDGETED: Final = Limited(timedelta(minutes=5))
HANDLE: Final = Handle(
    id=PipelineId("pipeline-1"),
    digest=token_digest(Secret("pipeline")),
    session=HERE,
    flow=Flow.LOGIN,
    organization=ACME,
    provider=ACME_IDP,
    kind="oidc",
    steps=STEPS,
    started_at=NOW,
    expires_at=NOW + LIFE,
)
PRESENT: Final = Present(
    digest=HANDLE.digest, session=HERE, organization=ACME, provider=ACME_IDP, kind="oidc", steps=STEPS
)
STRANGE: Final = tuple(
    attrs.evolve(PRESENT, **changed)
    for changed in ({"digest": WRONG}, {"session": SessionId("session-2")}, {"organization": GLOBEX})
)
"""Another secret, another browser, another organization: nothing happens, and nothing is told."""

CHANGED: Final = tuple(
    attrs.evolve(PRESENT, **changed)
    for changed in ({"provider": None}, {"provider": HOSTILE_IDP}, {"kind": "saml2"}, {"steps": WRONG})
)
"""The provider was deleted, replaced, or set up anew meanwhile: the pipeline is over."""


def away(**given: Any) -> Away:
    """Return a pipeline whose browser is at the provider."""
    sealed = Sealed(key_id="key-1", ciphertext=b"nonce and verifier")
    return Away(**{"handle": HANDLE, "state": STATE, "request": sealed, **given})


def opened() -> tuple[Identified | ProofMailed | Proven | AddressMailed | AddressProven, ...]:
    """Return every state in which something can be chosen."""
    known: dict[str, Any] = {"handle": HANDLE, "identity": asserted()}
    return (
        Identified(**known),
        ProofMailed(user=ADA, token=TOKEN, expires_at=NOW + PROOF_LIFE, **known),
        Proven(user=ADA, **known),
        AddressMailed(address=MAILBOX, token=TOKEN, **known),
        AddressProven(address=MAILBOX, **known),
    )


def start() -> tuple[Login, ...]:
    """Return the states of a whole walk."""
    return (away(), *opened(), Over(handle=HANDLE, why=Why.FINISHED))


def choose(choice: Choice = Choice.NOTHING, **given: Any) -> Choose:
    """Return a choice in the right browser, of which nothing else is known."""
    asked: dict[str, Any] = {"present": PRESENT, "known": Known(), "token": FRESH_TOKEN, "allowance": Allowed(4)}
    return Choose(**{**asked, "choice": choice, **given})


KNOWN: Final = (
    Known(),
    Known(taken=True),
    Known(verify_first=True),
    Known(prover=holder(), owes=True),
    Known(prover=holder()),
    Known(visitor=Visitor(user=ADA, elevated=True)),
)


def commands(_state: Login) -> Iterator[tuple[Command, datetime]]:
    """Yield what can happen: in time and too late, here and elsewhere, with what was asked for and with other things."""
    times = (NOW, NOW + PROOF_LIFE - TICK, NOW + PROOF_LIFE, NOW + LIFE - TICK, NOW + LIFE)
    strange = asserted(provider=HOSTILE_IDP)
    for present, now in product((PRESENT, *STRANGE, *CHANGED), times):
        for state, said in product((STATE, WRONG), (asserted(), strange, Code.SSO_IDENTITY_INCOMPLETE)):
            yield Return(present=present, state=state, said=said), now
        for choice, known, allowance in product(Choice, KNOWN, (Allowed(4), BUDGETED)):
            yield choose(choice, known=known, present=present, allowance=allowance), now
        for user, allowance in product((ADA, None), (Allowed(4), BUDGETED)):
            yield MailProof(present=present, user=user, token=FRESH_TOKEN, allowance=allowance), now
        for token in (TOKEN, FRESH_TOKEN, WRONG):
            yield OpenLink(present=present, token=token), now
        yield Abandon(present=present), now


LOGIN: Final = Alphabet(machine=MACHINE, start=start(), commands=commands)
