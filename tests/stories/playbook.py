"""Random commands, one after the other, on an installation: the same ones wherever the same seed plays."""

from __future__ import annotations

from datetime import timedelta
from random import Random
from typing import TYPE_CHECKING, Any, Final

import attrs

from authflow import Code, Enrolled, MfaPolicy, Policy
from authflow.journey.sso.answers import ChoiceOwed
from authflow.membership.answers import InvitationSent
from authflow.mfa.answers import Begun, CodesShown
from authflow.policy import MembershipPolicy
from authflow.sso.case import Choice
from authflow.testing.browsers import Phone
from authflow.values import NOBODY, Budget, OrganizationId
from tests.journey.sso_stage import SsoStage
from tests.stage import CONTEXT, STEP
from tests.stories.crashing import Draw, protected

if TYPE_CHECKING:
    from collections.abc import Callable

    from authflow import Context

ACME: Final = OrganizationId("acme")
PLENTY: Final = timedelta(seconds=20)


def _plenty(name: str) -> Budget:
    return Budget(name=name, limit=1000, window=PLENTY)


POLICY: Final = Policy(
    mfa=MfaPolicy(
        lock_after=100,
        **{
            name: _plenty(f"mfa.{name}")
            for name in ("enrollments", "proposals", "guesses_short", "guesses_long", "recovery_guesses")
        },
    ),
    membership=MembershipPolicy(invitations=_plenty("membership.invitations")),
)
"""What is tried here is the database, not the budgets."""


@attrs.frozen
class Move:
    """One command that is about to be given: *ask* may be called again, *then* is called with the answer."""

    name: str
    ask: Callable[[Context], Any]
    then: Callable[[Any], object]


class Play:
    """Ada signs in and out, minds her factors, and links herself to an account at a provider.

    Olga invites people, takes it back, and gives Bob other roles.
    """

    def __init__(self, uow: Any, seed: int) -> None:
        self.stage = SsoStage(uow, POLICY, entropy=Draw())
        self.chance = Random(seed)  # noqa: S311  # it chooses commands, not secrets
        stage = self.stage
        self.olga = stage.owner(stage.organization("acme"))
        self.globex = stage.organization("globex")
        stage.connect(self.globex, stage.google)
        stage.google.person("00u1", email="ada@example.com", email_verified=True)
        self.ada, self.bob = protected(stage), stage.person("bob@example.com")
        self.member = stage.flows.members.add(CONTEXT, organization=ACME, user=self.bob.user).member.id
        self.invited: list[Any] = []
        self.number = 0

    def next(self) -> Move:
        """Return the next command. Each comes in a time step of its own, so that every code is fresh."""
        self.number += 1
        self.stage.clock.advance(STEP)
        if self.ada.browser.session.id == NOBODY.id:
            self.stage.sign_in(self.ada)  # a browser without a session has no key, and so nothing to repeat
        state = self.stage.identify(self.ada)
        if state.user is None:
            name = self.chance.choice(["verify_totp", "verify_recovery", "verify_wrongly"])
        elif not state.elevated:
            name = "sign_out"
        else:
            own = ["sign_in", "sign_out", "regenerate", "rename", "rotate", "link"]
            name = self.chance.choice([*own, "invite", "withdraw", "role"])
        return getattr(self, f"_{name}")()

    def record(self) -> list[str]:
        """Return everything that was done, as the logs say it."""
        stage = self.stage
        people = [self.ada.user, self.olga.user, self.bob.user]
        logs = [stage.flows.audit.of_user(user, limit=10_000) for user in people]
        logs.append(stage.flows.audit.of_organization(ACME, limit=10_000))
        return [str(entry.event) for log in logs for entry in log]

    # --- commands -------------------------------------------------------------------------------------------------

    def _sign_in(self) -> Move:
        establish, proof = self.stage.flows.sessions.establish, self.stage.password()
        return self._of_ada("establish", establish, user=self.ada.user, proof=proof)

    def _sign_out(self) -> Move:
        return self._of_ada("sign out", self.stage.flows.sessions.sign_out)

    def _verify_totp(self) -> Move:
        return self._verify("totp", self.ada.app.code(self.stage.clock.now()))

    def _verify_wrongly(self) -> Move:
        return self._verify("totp", self.ada.app.wrong(self.stage.clock.now()))

    def _verify_recovery(self) -> Move:
        return self._verify("recovery", self.ada.codes.pop() if self.ada.codes else "0000-0000")

    def _verify(self, kind: str, code: str) -> Move:
        return self._of_ada(f"verify {kind}", self.stage.flows.mfa.verify, kind, code)

    def _regenerate(self) -> Move:
        def then(answer: Any) -> None:
            if isinstance(answer, CodesShown):
                self.ada.codes = [code.reveal() for code in answer.codes]

        return self._of_ada("regenerate", self.stage.flows.mfa.regenerate_codes, then=then)

    def _rename(self) -> Move:
        name = f"phone {self.number}"
        return self._of_ada("rename", self.stage.flows.mfa.rename, self.ada.factor, name=name)

    def _rotate(self) -> Move:
        """Enroll again. The proposal comes before the command that is tried."""
        begun = self.ada.browser.ask(self.stage.flows.mfa.begin_totp, CONTEXT, account="ada")
        if not isinstance(begun, Begun):
            return self._sign_in()
        phone = Phone(begun.secret)

        def then(answer: Any) -> None:
            if isinstance(answer, Enrolled):
                self.ada.phone, self.ada.factor = phone, answer.authenticator

        code = phone.code(self.stage.clock.now())
        return self._of_ada("rotate", self.stage.flows.mfa.complete_totp, begun.flow, code=code, then=then)

    def _link(self) -> Move:
        """Be linked at a provider, or give the link up. The way there comes before the choice that is tried."""
        flows = self.stage.flows.sso
        for held in self.stage.links_of(self.ada.user):
            return self._of_ada("unlink", flows.unlink, link=held.id)
        trip = self.stage.come(self.ada.browser, self.globex, "00u1", link=True)
        assert isinstance(trip.answer, ChoiceOwed), trip.answer
        return self._of_ada("link", flows.choose, pipeline=trip.pipeline, choice=Choice.LINK)

    def _invite(self) -> Move:
        def then(answer: Any) -> None:
            if isinstance(answer, InvitationSent):
                self.invited.append(answer.invitation)

        email = f"p{self.number}@example.com"
        return self._of_olga("invite", self.stage.flows.invitations.invite, then=then, email=email)

    def _withdraw(self) -> Move:
        if not self.invited:
            return self._invite()
        return self._of_olga("withdraw", self.stage.flows.invitations.withdraw, invitation=self.invited.pop())

    def _role(self) -> Move:
        role = self.chance.choice(["member", "admin", "manager"])
        return self._of_olga("role", self.stage.flows.members.change_role, member=self.member, role=role)

    # --- pieces ---------------------------------------------------------------------------------------------------

    def _of_ada(self, name: str, command: Any, /, *args: Any, then: Any = None, **kwargs: Any) -> Move:
        return self._move(name, self.ada, lambda s, c: command(s, c, *args, **kwargs), then)

    def _of_olga(self, name: str, command: Any, /, then: Any = None, **kwargs: Any) -> Move:
        if not self.stage.identify(self.olga).elevated:
            self.stage.elevate(self.olga)
        return self._move(name, self.olga, lambda s, c: command(s, c, organization=ACME, **kwargs), then)

    def _move(self, name: str, person: Any, ask: Any, then: Any) -> Move:
        session = person.browser.session

        def done(answer: Any) -> None:
            person.browser.keep(answer)
            if then is not None:
                then(answer)

        return Move(name, lambda context: ask(session, context), done)


def kind_of(answer: Any) -> str:
    """Return the code of a refusal, or the name of the answer."""
    code: Code | None = getattr(answer, "code", None)
    return type(answer).__name__ if code is None else str(code)
