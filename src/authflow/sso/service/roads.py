"""The two machines that take a browser to a provider and back, and the provider that each of them goes by.

The way is the same (`authflow.sso.service.travelling`): a sign-in goes by the provider that is connected, and a setup
by the one that is proposed, which stands nowhere but in its pipeline.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol, TypeVar

import attrs

from authflow.errors import BrokenPromise
from authflow.sso import login, setup
from authflow.sso.connection import Connected
from authflow.sso.pipeline import Flow
from authflow.sso.progress import Command as LoginCommand
from authflow.sso.progress import Login, LoginAnswer, Over
from authflow.sso.sealing import proposal_binding, settings_digest, steps_digest
from authflow.sso.setup import Command as SetupCommand
from authflow.sso.setup import Proposed, Setup, SetupAnswer, Tried

if TYPE_CHECKING:
    from authflow.machine import Machine
    from authflow.sso.kinds import Document
    from authflow.sso.pipeline import Handle
    from authflow.sso.ports import SsoTransaction
    from authflow.sso.progress import Return
    from authflow.sso.service.connected import ConnectedProviders
    from authflow.sso.service.desk import Desk
    from authflow.values import ProviderId

StateT = TypeVar("StateT", bound="Login | Setup")
CommandT = TypeVar("CommandT")
AnswerT = TypeVar("AnswerT")


@attrs.frozen(kw_only=True)
class Standing:
    """The provider that stands behind a pipeline now. Nothing goes on that began under other *steps*."""

    provider: ProviderId | None
    kind: str
    steps: bytes = attrs.field(repr=False)


NO_PROVIDER: Final = Standing(provider=None, kind="", steps=b"")
"""None stands there any more."""


class Road(Protocol[StateT, CommandT, AnswerT]):
    """A machine, and what its pipelines go by. Every method that takes a transaction runs in its caller's."""

    @property
    def machine(self) -> Machine[StateT, CommandT | Return, AnswerT]:
        """The table that decides."""
        ...

    def own(self, state: Login | Setup) -> StateT | None:
        """Return *state* if it is one of this machine's, or none."""
        ...

    def standing(self, tx: SsoTransaction, state: StateT) -> Standing:
        """Return which provider stands behind the pipeline now."""
        ...

    def settings(self, tx: SsoTransaction, state: StateT) -> Document:
        """Return the settings of that provider, which was seen to stand in this very transaction."""
        ...

    def hold(self, tx: SsoTransaction, handle: Handle) -> None:
        """Hold that provider, for whatever follows in this transaction and relies on it."""
        ...


@attrs.frozen(kw_only=True)
class SignInRoad(Road[Login, LoginCommand, LoginAnswer]):
    """Signing in, linking, and what nobody asked for: by the provider that the organization has connected."""

    desk: Desk
    connected: ConnectedProviders

    @property
    def machine(self) -> Machine[Login, LoginCommand, LoginAnswer]:
        """``sso.login``."""
        return login.MACHINE

    def own(self, state: Login | Setup) -> Login | None:
        """Return a sign-in."""
        return None if state.handle.flow is Flow.SETUP or isinstance(state, Proposed | Tried) else state

    def standing(self, tx: SsoTransaction, state: Login) -> Standing:
        """Return the connected provider, whichever that is, if its kind is known here."""
        found = tx.providers.load(state.handle.organization).state
        kind = self.desk.kinds.get(found.kind) if isinstance(found, Connected) else None
        if not isinstance(found, Connected) or kind is None:
            return NO_PROVIDER
        return Standing(provider=found.id, kind=found.kind, steps=steps_digest(kind, found.settings.steps))

    def settings(self, tx: SsoTransaction, state: Login) -> Document:
        """Return what the provider is connected with."""
        found = tx.providers.load(state.handle.organization).state
        if not isinstance(found, Connected):
            raise BrokenPromise(answer=type(found).__name__)
        return self.connected.settings(found)

    def hold(self, tx: SsoTransaction, handle: Handle) -> None:
        """Hold the organization's provider: whoever disables it does so before, or after."""
        tx.providers.load(handle.organization, lock=True)


@attrs.frozen(kw_only=True)
class SetupRoad(Road[Setup, SetupCommand, SetupAnswer]):
    """Setting a provider up: by what is proposed, which stands in the pipeline alone and changes with the library."""

    desk: Desk

    @property
    def machine(self) -> Machine[Setup, SetupCommand, SetupAnswer]:
        """``sso.setup``."""
        return setup.MACHINE

    def own(self, state: Login | Setup) -> Setup | None:
        """Return a setup."""
        return state if state.handle.flow is Flow.SETUP and isinstance(state, Proposed | Tried | Over) else None

    def standing(self, tx: SsoTransaction, state: Setup) -> Standing:  # noqa: ARG002  # of the other road
        """Return what was proposed, until it is over."""
        kind = self.desk.kinds.get(state.handle.kind)
        if kind is None or isinstance(state, Over):
            return NO_PROVIDER
        steps = steps_digest(kind, settings_digest(kind, self._proposed(state)))
        return Standing(provider=state.handle.provider, kind=state.handle.kind, steps=steps)

    def settings(self, tx: SsoTransaction, state: Setup) -> Document:  # noqa: ARG002  # as above
        """Return what was proposed."""
        if isinstance(state, Over):
            raise BrokenPromise(answer=type(state).__name__)
        return self._proposed(state)

    def hold(self, tx: SsoTransaction, handle: Handle) -> None:
        """Hold nothing: nobody changes what stands in the pipeline alone."""

    def _proposed(self, state: Proposed | Tried) -> Document:
        opened = self.desk.vault.open(state.proposal, proposal_binding(state.handle.id))
        found: Document = opened["config"]
        return found
