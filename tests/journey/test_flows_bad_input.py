"""Whatever a host hands on: every call of the facade answers, or raises an error of ours with a stable code."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, Final

import attrs
import pytest

from authflow import CATALOGUE, AuthflowError, Code, Refused, Secret
from authflow.adapters.memory.unit_of_work import MemoryUnitOfWork
from authflow.errors import DatabaseError
from authflow.values import Answer, Method, Proof
from tests.backends import BACKENDS
from tests.stage import CONTEXT, Stage

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.stage import Letter, Person

TEXTS: Final[dict[str, Any]] = {
    "none": None,
    "empty": "",
    "blank": " ",
    "oversized": "n" * 10_000,
    "sixty-five": "n" * 65,
    "umlaut": "\u00fc",
    "full-width": "\uff41\uff43\uff4d\uff45",
    "nul": "acme\x00",
    "surrogate": "acme\ud800",
    "astral": "\U0001f511" * 40,
    "newline": "ac\nme",
    "quote": "' OR 1=1 --",
    "unknown": "unknown",
}
"""What stands where a text is expected: a person's, a link's, or a mistake of the host's."""


@attrs.frozen(kw_only=True)
class Scene:
    """An owner who is elevated and administers the installation, a stranger's letter, and somebody else's things."""

    stage: Stage
    olga: Person
    bob: Person
    letter: Letter
    member: str
    flow: str


def scene_on(stage: Stage) -> Scene:
    acme = stage.organization("acme")
    olga = stage.owner(acme)
    stage.save(attrs.evolve(stage.user(olga.user), administrator=True))
    bob = stage.person("bob@example.com")
    member = stage.flows.members.add(CONTEXT, organization=acme, user=bob.user).member
    letter = stage.invite(olga, acme, "ada@example.com")
    return Scene(stage=stage, olga=olga, bob=bob, letter=letter, member=member.id, flow=stage.begin(olga).flow)


Call = "Callable[[Scene, Any], Any]"


def secret(text: Any) -> Any:
    return None if text is None else Secret(text)


def calls() -> dict[str, Any]:
    """Return every call of the facade with one text of it left open, by name and field."""

    def inv(name: str, **fixed: Any) -> Any:
        def call(s: Scene, field: str, text: Any) -> Any:
            given = {"organization": "acme", **{k: v(s) if callable(v) else v for k, v in fixed.items()}, field: text}
            return s.olga.browser.ask(getattr(s.stage.flows.invitations, name), CONTEXT, **given)

        return call

    def mem(name: str, **fixed: Any) -> Any:
        def call(s: Scene, field: str, text: Any) -> Any:
            given = {"organization": "acme", **{k: v(s) if callable(v) else v for k, v in fixed.items()}, field: text}
            return s.olga.browser.ask(getattr(s.stage.flows.members, name), CONTEXT, **given)

        return call

    def letter(s: Scene) -> str:
        return s.letter.invitation

    def member(s: Scene) -> str:
        return s.member

    many: dict[str, tuple[Any, tuple[str, ...]]] = {
        "invite": (inv("invite", email="x@example.com"), ("organization", "email", "role")),
        "request_invite": (inv("request_invite", email="x@example.com"), ("organization", "email", "role")),
        "request_join": (inv("request_join"), ("organization",)),
        "approve": (inv("approve", invitation=letter), ("organization", "invitation")),
        "reject": (inv("reject", invitation=letter), ("organization", "invitation")),
        "withdraw": (inv("withdraw", invitation=letter), ("organization", "invitation")),
        "resend": (inv("resend", invitation=letter), ("organization", "invitation")),
        "change_role": (mem("change_role", member=member, role="manager"), ("organization", "member", "role")),
        "set_teams": (mem("set_teams", member=member, teams=()), ("organization", "member")),
        "remove_member": (mem("remove", member=member), ("organization", "member")),
        "demote": (mem("demote", member=member), ("organization", "member")),
        "enforce": (mem("enforce"), ("organization",)),
    }
    found = {
        f"{name}.{field}": (lambda s, text, call=call, field=field: call(s, field, text))
        for name, (call, fields) in many.items()
        for field in fields
    }
    return {**found, **PLAIN}


def where(s: Scene, **changed: Any) -> dict[str, Any]:
    return {**s.letter.where(), **changed}


PLAIN: Final[dict[str, Any]] = {
    "look.organization": lambda s, t: s.olga.browser.ask(s.stage.flows.invitations.look, **where(s, organization=t)),
    "look.invitation": lambda s, t: s.olga.browser.ask(s.stage.flows.invitations.look, **where(s, invitation=t)),
    "look.token": lambda s, t: s.olga.browser.ask(s.stage.flows.invitations.look, **where(s, token=secret(t))),
    "accept.organization": lambda s, t: s.bob.browser.ask(
        s.stage.flows.invitations.accept, CONTEXT, **where(s, organization=t)
    ),
    "accept.invitation": lambda s, t: s.bob.browser.ask(
        s.stage.flows.invitations.accept, CONTEXT, **where(s, invitation=t)
    ),
    "accept.token": lambda s, t: s.bob.browser.ask(
        s.stage.flows.invitations.accept, CONTEXT, **where(s, token=secret(t))
    ),
    "accept.user": lambda s, t: s.olga.browser.ask(s.stage.flows.invitations.accept, CONTEXT, **where(s, user=t)),
    "pending.organization": lambda s, t: s.olga.browser.ask(s.stage.flows.invitations.pending, organization=t),
    "pending.after": lambda s, t: s.olga.browser.ask(s.stage.flows.invitations.pending, organization="acme", after=t),
    "enter.organization": lambda s, t: s.olga.browser.ask(s.stage.flows.members.enter, organization=t),
    "members.organization": lambda s, t: s.olga.browser.ask(s.stage.flows.members.listing, organization=t),
    "members.after": lambda s, t: s.olga.browser.ask(s.stage.flows.members.listing, organization="acme", after=t),
    "teams.one": lambda s, t: s.olga.browser.ask(
        s.stage.flows.members.set_teams, CONTEXT, organization="acme", member=s.member, teams=(t,)
    ),
    "teams.all": lambda s, t: s.olga.browser.ask(
        s.stage.flows.members.set_teams, CONTEXT, organization="acme", member=s.member, teams=t
    ),
    "invite.teams": lambda s, t: s.olga.browser.ask(
        s.stage.flows.invitations.invite, CONTEXT, organization="acme", email="x@example.com", teams=(t,)
    ),
    "add.organization": lambda s, t: s.stage.flows.members.add(CONTEXT, organization=t, user=s.bob.user),
    "add.user": lambda s, t: s.stage.flows.members.add(CONTEXT, organization="acme", user=t),
    "add.role": lambda s, t: s.stage.flows.members.add(CONTEXT, organization="acme", user="olga@example.com", role=t),
    "add.teams": lambda s, t: s.stage.flows.members.add(
        CONTEXT, organization="acme", user="olga@example.com", teams=(t,)
    ),
    "begin.account": lambda s, t: s.olga.browser.ask(s.stage.flows.mfa.begin_totp, CONTEXT, account=t),
    "show.flow": lambda s, t: s.olga.browser.ask(s.stage.flows.mfa.show_totp, CONTEXT, t, account="a"),
    "show.account": lambda s, t: s.olga.browser.ask(s.stage.flows.mfa.show_totp, CONTEXT, s.flow, account=t),
    "cancel.flow": lambda s, t: s.olga.browser.ask(s.stage.flows.mfa.cancel_totp, CONTEXT, t),
    "complete.flow": lambda s, t: s.olga.browser.ask(s.stage.flows.mfa.complete_totp, CONTEXT, t, code="123456"),
    "complete.code": lambda s, t: s.olga.browser.ask(s.stage.flows.mfa.complete_totp, CONTEXT, s.flow, code=t),
    "complete.user": lambda s, t: s.olga.browser.ask(
        s.stage.flows.mfa.complete_totp, CONTEXT, s.flow, code="123456", user=t
    ),
    "verify.kind": lambda s, t: s.olga.browser.ask(s.stage.flows.mfa.verify, CONTEXT, t, "123456"),
    "verify.totp": lambda s, t: s.olga.browser.ask(s.stage.flows.mfa.verify, CONTEXT, "totp", t),
    "verify.recovery": lambda s, t: s.olga.browser.ask(s.stage.flows.mfa.verify, CONTEXT, "recovery", t),
    "verify.device": lambda s, t: s.olga.browser.ask(
        s.stage.flows.mfa.verify, CONTEXT, "totp", "123456", device=secret(t)
    ),
    "listing.user": lambda s, t: s.olga.browser.ask(s.stage.flows.mfa.listing, user=t),
    "details.authenticator": lambda s, t: s.olga.browser.ask(s.stage.flows.mfa.details, t),
    "details.user": lambda s, t: s.olga.browser.ask(s.stage.flows.mfa.details, s.olga.factor, user=t),
    "rename.authenticator": lambda s, t: s.olga.browser.ask(s.stage.flows.mfa.rename, CONTEXT, t, name="n"),
    "rename.name": lambda s, t: s.olga.browser.ask(s.stage.flows.mfa.rename, CONTEXT, s.olga.factor, name=t),
    "remove.authenticator": lambda s, t: s.olga.browser.ask(s.stage.flows.mfa.remove, CONTEXT, t),
    "remove.user": lambda s, t: s.olga.browser.ask(s.stage.flows.mfa.remove, CONTEXT, "factor", user=t),
    "reset.user": lambda s, t: s.olga.browser.ask(s.stage.flows.mfa.reset, CONTEXT, user=t, reason="r"),
    "reset.reason": lambda s, t: s.olga.browser.ask(s.stage.flows.mfa.reset, CONTEXT, user=s.bob.user, reason=t),
    "establish.user": lambda s, t: s.bob.browser.ask(
        s.stage.flows.sessions.establish, CONTEXT, user=t, proof=s.stage.password()
    ),
    "establish.organization": lambda s, t: s.bob.browser.ask(
        s.stage.flows.sessions.establish,
        CONTEXT,
        user=s.bob.user,
        proof=Proof(method=Method.SSO, at=s.stage.clock.now(), organization=t, provider=t),
    ),
    "redeem.token": lambda s, t: s.bob.browser.ask(s.stage.flows.sessions.redeem, CONTEXT, token=Secret(t or "")),
    "export.user": lambda s, t: s.olga.browser.ask(s.stage.flows.accounts.export, CONTEXT, user=t),
    "delete.user": lambda s, t: s.olga.browser.ask(s.stage.flows.accounts.delete, CONTEXT, user=t),
    "merge.source": lambda s, t: s.olga.browser.ask(s.stage.flows.accounts.merge, CONTEXT, source=t, target=s.bob.user),
    "merge.target": lambda s, t: s.olga.browser.ask(s.stage.flows.accounts.merge, CONTEXT, source=s.bob.user, target=t),
    "send.user": lambda s, t: s.olga.browser.ask(s.stage.flows.accounts.send_confirmations, CONTEXT, user=t),
    "send.address": lambda s, t: s.olga.browser.ask(s.stage.flows.accounts.send_confirmations, CONTEXT, address=t),
    "confirm.token": lambda s, t: s.bob.browser.ask(
        s.stage.flows.accounts.confirm_address, CONTEXT, token=Secret(t or "")
    ),
    "look_at.token": lambda s, t: s.bob.browser.ask(s.stage.flows.accounts.look_at_confirmation, token=Secret(t or "")),
    "record.user": lambda s, t: s.olga.browser.ask(
        s.stage.flows.accounts.record_verified_address, CONTEXT, user=t, address="bob@example.com"
    ),
    "record.address": lambda s, t: s.olga.browser.ask(
        s.stage.flows.accounts.record_verified_address, CONTEXT, user=s.bob.user, address=t
    ),
}

CALLS: Final[dict[str, Any]] = calls()


def answered(call: Callable[[], Any]) -> Any:
    """Return what *call* answers or raises, if that is one of ours and no complaint of the database."""
    try:
        answer = call()
    except DatabaseError:
        raise
    except AuthflowError as error:
        return Code(error.code)
    assert isinstance(answer, Answer), answer
    if isinstance(answer, Refused):
        assert answer.code in CATALOGUE
        return answer.code
    return type(answer)


DRIVERS: Final = (*BACKENDS, "asyncpg")
"""What texts go through: each driver encodes them in its own way, and aiosqlite is SQLite's in a thread."""


SCENES: Final = 12
"""How many share the calls, so that those of one service, and with them its budgets, are far from each other."""


def answers(scene: Scene, name: str) -> dict[str, Any]:
    return {kind: answered(lambda text=text: CALLS[name](scene, text)) for kind, text in TEXTS.items()}


@cache
def alone(name: str) -> dict[str, Any]:
    """Return what a call answers whose scene, in memory, is its own."""
    return answers(scene_on(Stage(MemoryUnitOfWork())), name)


@pytest.mark.parametrize("first", range(SCENES))
@pytest.mark.parametrize("stage", DRIVERS, indirect=True)
def test_every_text_has_an_answer(stage: Stage, first: int):
    """Every database gives the same, and one serves all texts of several calls: a refusal leaves it in order."""
    scene = scene_on(stage)
    for name in list(CALLS)[first::SCENES]:
        given = answers(scene, name)
        assert given == alone(name), name
        assert set(given) == set(TEXTS)
        assert all(given.values()), name
        asker = stage.flows.sessions.identify(scene.olga.browser.session)
        assert asker.user == scene.olga.user or name == "establish.user" or asker.why_not is not None, name
