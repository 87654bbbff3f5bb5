"""Whatever stands in the place of any argument of any command: an answer, or an error of ours, on each database alike.

The commands are those of the facade, and so are their arguments: one that has no row here fails.
"""

from __future__ import annotations

import asyncio
import inspect
from functools import cache
from typing import TYPE_CHECKING, Any, Final

import attrs
import pytest

from authflow import (
    AuthflowError,
    Callback,
    Choice,
    Code,
    Offer,
    Refused,
    Secret,
)
from authflow.adapters.memory.unit_of_work import MemoryUnitOfWork
from authflow.awaitable import AsyncAuthflow
from authflow.command import Command
from authflow.errors import BrokenPromise, DatabaseError, EventInvalid, InputInvalid
from authflow.membership.changes import FlagGroup
from authflow.membership.standing import MemberFlag
from authflow.values import Answer
from authflow.wiring import Authflow
from tests.journey.sso_stage import SsoStage
from tests.stage import CONTEXT, SECURITY

if TYPE_CHECKING:
    from collections.abc import Mapping

BAD: Final[dict[str, Any]] = {
    "none": None,
    "int": 5,
    "float": float("nan"),
    "flag": True,
    "bytes": b"acme",
    "list": [],
    "list-of-ints": [5],
    "dict": {},
    "dict-of-ints": {5: 5},
    "object": object(),
    "long": "n" * 5_000,
    "nul": "acme\x00",
    "surrogate": "acme\ud800",
    "secret": Secret("acme\ud800"),
    "empty secret": Secret(None),  # type: ignore[arg-type]  # a form without the field
}
"""In the place of every argument."""


@cache
def commands() -> dict[str, Command[..., Any]]:
    """Return every command of the facade."""
    flows = Authflow.in_memory()
    parts = [type(getattr(flows, field.name)) for field in attrs.fields(Authflow)]
    members = [inspect.getattr_static(part, name) for part in parts for name in dir(part)]
    return {found.name: found for found in members if isinstance(found, Command)}


def arguments_of(name: str) -> list[str]:
    return list(commands()[name].signature.parameters)[1:]


@attrs.frozen(kw_only=True)
class Scene:
    """An owner who administers the installation too, with a sign-in under way; and what to hand to every command."""

    stage: SsoStage
    browser: Any
    given: Mapping[str, Any]


def scene_on(stage: SsoStage) -> Scene:
    acme = stage.organization("acme")
    stage.connect(acme)
    olga = stage.owner(acme)
    stage.save(attrs.evolve(stage.user(olga.user), administrator=True))
    bob = stage.person("bob@example.com")
    member = stage.flows.members.add(CONTEXT, organization=acme, user=bob.user).member
    stage.idp.person("00u1", email="olga@example.org")
    trip = stage.come(olga.browser, acme, "00u1")
    given = {
        "context": CONTEXT,
        "organization": acme,
        "user": bob.user,
        "source": bob.user,
        "target": olga.user,
        "member": member.id,
        "proof": stage.password(),
        "token": Secret("t"),
        "ticket": Secret("t"),
        "device": None,
        "pipeline": trip.pipeline,
        "callback": Callback(fields={"state": ("s",)}),
        "choice": Choice.LINK,
        "account": "Acme",
        "flow": "flow",
        "code": "123456",
        "authenticator": olga.factor,
        "name": "phone",
        "reason": "lost",
        "kind": "idp",
        "invitation": stage.invite(olga, acme, "ada@example.com").invitation,
        "email": "x@example.com",
        "role": "member",
        "teams": (),
        "limit": 10,
        "after": None,
        "confirmed": False,
        "group": FlagGroup.SSO,
        "flags": MemberFlag.NONE,
        "address": "bob@example.com",
        "query": "SAMLRequest=x",
        "link": stage.link(bob.user, acme, "00u2").id,
        "settings": {"client": "c"},
        "required": True,
        "newcomers": True,
        "scim": None,
        "default_role": None,
        "project_id": SECURITY,
        "event": "0" * 31 + "1",
        "day": "2026-01-01",
        "client_ip": None,
        "raw": False,
        "assume_normalized": False,
        "start_time": None,
        "cache_key": None,
        "skip_send_first_transaction": False,
        "has_attachments": False,
        "ids": (),
        "rounds": 1,
    }
    return Scene(stage=stage, browser=olga.browser, given=given)


def said(scene: Scene, name: str, argument: str, given: Any) -> str:
    part, method = name.split(".")
    handed = {each: scene.given.get(each, scene.browser.session) for each in arguments_of(name)}
    try:
        answer = getattr(getattr(scene.stage.flows, part), method)(**{**handed, argument: given})
    except (DatabaseError, BrokenPromise):
        raise
    except AuthflowError as error:
        return error.code.value
    if isinstance(answer, Answer) and answer.session.user == scene.browser.session.user:
        scene.browser.keep(answer)
    return answer.code.value if isinstance(answer, Refused) else type(answer).__name__


def ends(name: str) -> bool:
    """Tell whether nobody is signed in any more, if it succeeds."""
    return name.startswith("sessions.") or name.endswith("sign_out")


def told(uow: Any) -> dict[tuple[str, str, str], str]:
    scene = scene_on(SsoStage(uow))
    names = sorted(commands(), key=lambda name: (ends(name), name))
    every = [(name, argument, kind) for name in names for argument in arguments_of(name) for kind in BAD]
    return {place: said(scene, place[0], place[1], BAD[place[2]]) for place in every}


@pytest.fixture(scope="module")
def alone() -> dict[tuple[str, str, str], str]:
    """What memory answers, call after call."""
    return told(MemoryUnitOfWork())


def test_every_command_has_something_for_each_of_its_arguments():
    scene = scene_on(SsoStage(MemoryUnitOfWork()))
    assert {each for name in commands() for each in arguments_of(name)} == {*scene.given, "session"}


@pytest.mark.parametrize("uow", ["sqlite"], indirect=True)
def test_every_database_answers_alike(uow: Any, alone: dict[tuple[str, str, str], str]):
    """No error of Python's or of a driver's; one scene serves all calls, so that each leaves it in order."""
    assert told(uow) == alone


NAMED = (
    *("session", "context", "pipeline", "token", "ticket", "callback", "choice", "settings", "required", "newcomers"),
    *("project_id", "day", "client_ip", "start_time", "cache_key", "ids", "rounds", "limit"),
    *("raw", "assume_normalized", "skip_send_first_transaction", "has_attachments"),
)

FITTING = {
    "ids": {"list"},
    "required": {"int"},
    "start_time": {"int"},
    "rounds": {"int"},
    "limit": {"int"},
    "client_ip": {"long"},
}
"""What is of the right type after all."""

WORKERS = ("events", "outbox", "relay", "upkeep")
"""What a host's own jobs call."""


@pytest.mark.parametrize("argument", NAMED)
def test_what_is_of_another_type_is_refused_by_its_name(argument: str, alone: dict[tuple[str, str, str], str]):
    """Whatever else is wrong with the call, and before anything is read."""
    kinds = {"int", "list", "bytes", "object", "long"} - FITTING.get(argument, set())
    found = {place: code for place, code in alone.items() if place[1] == argument and place[2] in kinds}
    assert found
    assert {place for place, code in found.items() if code != Code.INPUT_INVALID} == set()


def test_the_awaitable_face_refuses_the_same_by_the_same_name():
    """No database is there to wait for: all is refused before one is asked."""
    stage = SsoStage(MemoryUnitOfWork())
    given, flows = scene_on(stage).given, AsyncAuthflow(stage.flows)
    places = [(name, each) for name in commands() if name.split(".")[0] in WORKERS for each in arguments_of(name)]
    for name, argument in places:
        part, method = name.split(".")
        handed = {each: given[each] for each in arguments_of(name)}
        with pytest.raises((InputInvalid, EventInvalid)) as refusal:
            asyncio.run(getattr(getattr(flows, part), method)(**{**handed, argument: object()}))
        assert isinstance(refusal.value, EventInvalid) or refusal.value.field == argument


@pytest.mark.parametrize("choice", [Choice.LINK, "link", Offer.LINK])
def test_a_choice_may_be_the_text_of_a_form(choice: Any):
    scene = scene_on(SsoStage(MemoryUnitOfWork()))
    assert said(scene, "sso.choose", "choice", choice) == "SignedOn"


@pytest.mark.parametrize("choice", [Choice.NOTHING, "nothing", "LINK", Offer.CONTINUE, Offer.MAIL_PROOF, "", None])
def test_nothing_else_can_be_chosen(choice: Any):
    scene = scene_on(SsoStage(MemoryUnitOfWork()))
    assert said(scene, "sso.choose", "choice", choice) == Code.INPUT_INVALID


class Several(dict[str, str]):
    """A query as frameworks have it: by its keys it shows one value of each name."""

    def getlist(self, name: str) -> list[str]:
        return [self[name], "another"]


@pytest.mark.parametrize(
    ("fields", "read"),
    [
        ({"state": "abc"}, {"state": ("abc",)}),
        ({"state": ["a", "b"]}, {"state": ("a", "b")}),
        ({"state": ()}, {"state": ()}),
        (Several(state="a"), {"state": ("a", "another")}),
    ],
)
def test_a_callback_takes_fields_as_they_come(fields: Any, read: dict[str, tuple[str, ...]]):
    assert Callback(fields=fields).fields == read


@pytest.mark.parametrize(
    "fields", [None, "state=1", [], {"f": None}, {"f": (5,)}, {"f": object()}, {5: "x"}, {"f": b""}]
)
def test_a_callback_of_anything_but_texts_is_refused(fields: Any):
    """Such as a file that a browser uploads in the place of an answer."""
    with pytest.raises(InputInvalid) as refusal:
        Callback(fields=fields)
    assert refusal.value.field == "callback"
