"""Pipelines and providers, and what goes on in them: the alphabets of ``sso.login``, ``.setup`` and ``.provider``."""

from __future__ import annotations

from datetime import timedelta
from itertools import product
from typing import TYPE_CHECKING, Any, Final

import attrs

from authflow.errors import Code
from authflow.ports import Allowed, Limited
from authflow.sso.authority import Authority
from authflow.sso.case import Choice, Visitor
from authflow.sso.connection import Connected, NoProvider, Settings
from authflow.sso.difference import SAME, Difference
from authflow.sso.identity import FRESH
from authflow.sso.login import MACHINE, PROOF_LIFE
from authflow.sso.opening import Opening
from authflow.sso.pipeline import LIFE, Flow, Handle, PipelineId, Present
from authflow.sso.progress import (
    Abandon,
    AddressMailed,
    AddressProven,
    Away,
    Choose,
    ConfirmUnasked,
    Identified,
    MailProof,
    OpenLink,
    Over,
    ProofMailed,
    Proven,
    Return,
    Unconfirmed,
    Why,
    Withdraw,
)
from authflow.sso.provider import MACHINE as PROVIDER_MACHINE
from authflow.sso.provider_commands import Configure, Connect, Disable, Edit, Provision
from authflow.sso.setup import MACHINE as SETUP_MACHINE
from authflow.sso.setup import Confirm, Proposed, Tried
from authflow.testing.samples.alphabet import Alphabet
from authflow.testing.samples.links import (
    ACME,
    ACME_IDP,
    ADA,
    EVE,
    GLOBEX,
    HOSTILE_IDP,
    MAILBOX,
    NOW,
    TICK,
    holder,
    link,
    welcoming,
)
from authflow.testing.samples.links import identity as asserted
from authflow.values import Role, Sealed, Secret, SessionId, token_digest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from authflow.sso.connection import Provider
    from authflow.sso.identity import Identity
    from authflow.sso.progress import Command, Login
    from authflow.sso.provider_commands import Command as ProviderCommand
    from authflow.sso.setup import Command as SetupCommand
    from authflow.sso.setup import Setup

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
    stands: dict[str, Any] = {"handle": HANDLE, "state": STATE, "request": sealed, **given}
    return Away(**stands)


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


def unconfirmed() -> Unconfirmed:
    """Return a pipeline that an answer began which nobody had asked for."""
    return Unconfirmed(handle=HANDLE, identity=asserted())


def start() -> tuple[Login, ...]:
    """Return the states of a whole walk."""
    return (away(), *opened(), unconfirmed(), Over(handle=HANDLE, why=Why.FINISHED))


def choose(choice: Choice = Choice.NOTHING, **given: Any) -> Choose:
    """Return a choice in the right browser, of which nothing else is known."""
    asked: dict[str, Any] = {"present": PRESENT, "known": welcoming(), "token": FRESH_TOKEN, "allowance": Allowed(4)}
    asked |= {"choice": choice, **given}
    return Choose(**asked)


KNOWN: Final = (
    welcoming(),
    welcoming(taken=True),
    welcoming(verify_first=True),
    welcoming(prover=holder(), owes=True),
    welcoming(prover=holder()),
    welcoming(visitor=Visitor(user=ADA, elevated=True)),
)

LINKED: Final = (
    welcoming(),
    welcoming(link=link(), holder=holder()),
    welcoming(link=link(), holder=holder(), owes=True),
    welcoming(link=link(EVE), holder=holder(EVE), visitor=Visitor(user=ADA, elevated=True)),
)
"""What can be known of an answer that nobody asked for: no link, a link, one behind a factor, somebody else's."""

SAID: Final[tuple[Identity | Code, ...]] = (
    asserted(),
    asserted(provider=HOSTILE_IDP),
    Code.SSO_IDENTITY_INCOMPLETE,
)
"""What comes back: an identity, another provider's, none."""

BUDGETS: Final[tuple[Allowed | Limited, ...]] = (Allowed(4), BUDGETED)


def commands(_state: Login) -> Iterator[tuple[Command, datetime]]:
    """Yield what can happen: in time and too late, here and elsewhere, with what was asked for and with more."""
    times = (NOW, NOW + PROOF_LIFE - TICK, NOW + PROOF_LIFE, NOW + LIFE - TICK, NOW + LIFE)
    for present, now in product((PRESENT, *STRANGE, *CHANGED), times):
        for state, said in product((STATE, WRONG), SAID):
            yield Return(present=present, state=state, said=said), now
        for allowance in BUDGETS:
            for choice, known in product(Choice, KNOWN):
                yield choose(choice, known=known, present=present, allowance=allowance), now
            for user in (ADA, None):
                yield MailProof(present=present, user=user, token=FRESH_TOKEN, allowance=allowance), now
        for token, user in product((TOKEN, FRESH_TOKEN, WRONG), (ADA, None)):
            yield OpenLink(present=present, user=user, token=token), now
        for known in LINKED:
            yield ConfirmUnasked(present=present, known=known), now
        yield Abandon(present=present), now
    for provider, now in product((ACME_IDP, HOSTILE_IDP), times):
        yield Withdraw(provider=provider), now


LOGIN: Final = Alphabet(machine=MACHINE, start=start(), commands=commands)


# --- connecting a provider ------------------------------------------------------------------------------------------

OWNER: Final = Authority(user=ADA, refusal=None, owner=True, elevated=True, recipients=(MAILBOX,))
AUTHORITIES: Final = (
    OWNER,
    attrs.evolve(OWNER, refusal=Code.SESSION_REQUIRED),
    attrs.evolve(OWNER, owner=False),
    attrs.evolve(OWNER, elevated=False),
    attrs.evolve(OWNER, user=EVE),
)
"""An owner; whoever may not manage; a manager who owns nothing; an owner who proved nothing lately; another owner."""

PARTNER: Final = attrs.evolve(OWNER, user=EVE, partner=True)
"""An administrator of the installation, who acts for a partner."""

CONFIG: Final = Sealed(key_id="key-1", ciphertext=b"settings")
OTHER_CONFIG: Final = Sealed(key_id="key-1", ciphertext=b"other settings")
SETUP_HANDLE: Final = attrs.evolve(HANDLE, flow=Flow.SETUP, started_by=ADA)
PROPOSED: Final = Proposed(handle=SETUP_HANDLE, state=STATE, request=CONFIG, proposal=OTHER_CONFIG)
TRIED: Final = Tried(handle=SETUP_HANDLE, identity=asserted(), proposal=OTHER_CONFIG)
SETTINGS: Final = Settings(config=CONFIG, steps=STEPS)
CONNECTED: Final = Connected(
    id=ACME_IDP, organization=ACME, kind="oidc", name="Acme", settings=SETTINGS, connected_at=NOW
)


def openings() -> Iterator[Opening]:
    """Yield everything that can be known when somebody asks to connect a provider."""
    known = product((True, False), repeat=4)
    for authority, (connected, kind, included, role) in product((*AUTHORITIES, PARTNER), known):
        yield Opening(
            authority=authority, connected=connected, kind_known=kind, kind_included=included, role_known=role
        )


def setup_commands(_state: Setup) -> Iterator[tuple[SetupCommand, datetime]]:
    """Yield what can happen while a provider is set up."""
    for present, now in product((PRESENT, *STRANGE, *CHANGED), (NOW, NOW + FRESH, NOW + LIFE)):
        for state, said in product((STATE, WRONG), SAID):
            yield Return(present=present, state=state, said=said), now
        for authority, visitor, exists in product(AUTHORITIES, (ADA, EVE, None), (True, False)):
            yield Confirm(present=present, visitor=visitor, authority=authority, exists=exists), now
        yield Abandon(present=present), now


DIFFERENCES: Final = (
    SAME,
    Difference(trusted=frozenset({"certificates"})),
    Difference(trusted=frozenset({"token_url"}), forgets=True),
    Difference(trusted=frozenset({"token_url"}), withheld=frozenset({"client_secret"}), forgets=True),
    Difference(trusted=frozenset({"issuer"}), naming=frozenset({"issuer"}), withheld=frozenset({"client_secret"})),
)
"""Nothing; whom to believe; where tokens go; the same without the secret that goes there too; another provider."""

DECIDED: Final = (
    SETTINGS,
    attrs.evolve(SETTINGS, required=False),
    attrs.evolve(SETTINGS, newcomers=False),
    attrs.evolve(SETTINGS, scim=True),
    attrs.evolve(SETTINGS, default_role=Role("manager")),
)


def edits(authority: Authority) -> Iterator[ProviderCommand]:
    """Yield what *authority* can do to settings of the kind, as an owner and as a partner."""
    theirs = attrs.evolve(CONNECTED, partner=True)
    for difference in DIFFERENCES:
        settings = SETTINGS if difference == SAME else attrs.evolve(SETTINGS, config=OTHER_CONFIG)
        yield Edit(authority=authority, settings=settings, difference=difference)
        made = attrs.evolve(theirs, settings=settings)
        yield Provision(authority=authority, provider=made, difference=difference)
    yield Edit(authority=authority, settings=SETTINGS, difference=DIFFERENCES[-1], overtaken=True)
    yield Provision(authority=authority, provider=CONNECTED)
    yield Provision(authority=authority, provider=attrs.evolve(theirs, kind="saml2"))


def configurations(authority: Authority) -> Iterator[ProviderCommand]:
    """Yield what *authority* can decide about members, with a role that ranks higher and one that ranks lower."""
    for settings, rank, ungranted in product(DECIDED, (2, 0), (None, Code.ROLE_NOT_ALLOWED)):
        if rank or not ungranted:
            asked: dict[str, Any] = {"name": "Acme", "settings": settings, "rank_before": 1, "rank_after": rank}
            yield Configure(authority=authority, ungranted=ungranted, provisions=not ungranted, **asked)
    yield Configure(authority=authority, name="Another name", settings=SETTINGS)


def provider_commands(_state: Provider) -> Iterator[tuple[ProviderCommand, datetime]]:
    """Yield what can be asked of an organization's provider."""
    for authority in (*AUTHORITIES, PARTNER):
        for lifted in (True, False):
            yield Connect(authority=authority, provider=attrs.evolve(CONNECTED, lifted=lifted)), NOW
        for command in (*edits(authority), *configurations(authority), Disable(authority=authority)):
            yield command, NOW


SETUP: Final = Alphabet(
    machine=SETUP_MACHINE, start=(PROPOSED, TRIED, Over(handle=SETUP_HANDLE, why=Why.FINISHED)), commands=setup_commands
)
PROVIDER: Final = Alphabet(
    machine=PROVIDER_MACHINE,
    start=(NoProvider(), CONNECTED, attrs.evolve(CONNECTED, partner=True), attrs.evolve(CONNECTED, lifted=True)),
    commands=provider_commands,
)
