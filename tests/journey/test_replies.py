"""Whatever a command may answer is written down and read back, so that no new answer is forgotten."""

from __future__ import annotations

import json
import traceback
from typing import Any

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from authflow.errors import BrokenPromise, Code, ReplyUnreadable
from authflow.journey import replies
from authflow.journey.answers import Enrolled
from authflow.journey.post_flow import InvitationFate, InvitationOutcome
from authflow.journey.replies import CLASSES, Contents, SessionFate
from authflow.membership.standing import MemberFlag
from authflow.sso.case import Choice
from authflow.values import Answer, AuthenticatorId, BrowserSession, Proof, Refused, Secret, SessionId, UserId
from tests.journey.annotated import answers, commands, fields, parts, refuses, strategy

COMMANDS = commands()
ANSWERS = sorted({answer for command in COMMANDS.values() for answer in answers(command)}, key=lambda c: c.__qualname__)
ENROLLED = Enrolled(
    session=BrowserSession(id=SessionId("row"), secret=Secret("s3cret"), generation=2, renew=True, user=UserId("ada")),
    authenticator=AuthenticatorId("a-1"),
    kind="totp",
    rotated=False,
    recovery_codes=(Secret("code-1"), Secret("code-2")),
    invitation=InvitationOutcome(fate=InvitationFate.KEPT, code=Code.INVITATION_EXPIRED),
)
CONTENTS = Contents(asked=b"\x00\xff", actor=UserId("ada"), fate=SessionFate.RENEWED, answer=ENROLLED)
WRITTEN = (
    '[1,["Contents",{"asked":["bytes","00ff"],"actor":"ada","fate":["SessionFate","renewed"],"answer":["Enrolled",'
    '{"session":["BrowserSession",{"id":"row","secret":["secret","s3cret"],"generation":2,"renew":true,"user":"ada"}],'
    '"authenticator":"a-1","kind":"totp","rotated":false,"recovery_codes":["tuple",[["secret","code-1"],'
    '["secret","code-2"]]],"ended_sessions":0,"invitation":["InvitationOutcome",{"fate":["InvitationFate","kept"],'
    '"organization":null,"member":null,"code":["Code","invitation.expired"],"requirements":["frozenset",[]],'
    '"detour":null}]}]}]]'
)
"""As it stands, sealed, in databases: a change of this text needs a new format, or answers that nobody can read."""


def test_the_facade_has_commands():
    assert {"mfa.complete_totp", "invitations.accept", "sessions.sign_out", "accounts.merge"} <= COMMANDS.keys()
    assert {Enrolled, Refused} <= set(ANSWERS)


def test_every_part_of_every_answer_is_in_the_table_and_nothing_else():
    own = {Contents, SessionFate, Proof, Choice}
    reachable = {part for answer in ANSWERS for part in parts(answer)}
    assert set(CLASSES.values()) - own == reachable - {Secret}


def test_names_in_the_table_are_unique():
    assert [name for name, kind in CLASSES.items() if kind.__name__ != name] == []
    assert len(set(CLASSES.values())) == len(CLASSES)
    assert CLASSES.keys() & replies.SHAPES.keys() == set()


@pytest.mark.parametrize("name", COMMANDS)
def test_whoever_may_be_told_of_a_conflict_says_so(name: str):
    assert refuses(COMMANDS[name])


@pytest.mark.parametrize("kind", ANSWERS, ids=lambda kind: kind.__qualname__)
@settings(max_examples=30)
@given(data=st.data())
def test_every_answer_comes_back(kind: type[Answer], data: st.DataObject):
    answer = data.draw(strategy(kind))
    contents = data.draw(
        st.builds(
            Contents,
            asked=st.binary(),
            actor=st.none() | st.text(),
            fate=st.sampled_from(SessionFate),
            answer=st.just(answer),
        )
    )
    read = replies.load(replies.dump(contents))
    assert read == contents
    assert [type(getattr(read.answer, f)) for f in fields(kind)] == [type(getattr(answer, f)) for f in fields(kind)]
    if isinstance(answer, Refused):
        assert isinstance(read.answer, Refused)
        assert read.answer.why == answer.why  # which takes no part in comparisons


def test_stored_rows_can_be_read_for_ever():
    assert replies.dump(CONTENTS).reveal() == WRITTEN
    assert replies.load(Secret(WRITTEN)) == CONTENTS


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("[1,", "[2,"),
        ('"Contents"', '"Discontents"'),
        ('"Enrolled"', '"Disenrolled"'),
        ('"rotated"', '"turned"'),
        ('"renewed"', '"forgotten"'),
        ('"invitation.expired"', '"invitation.melted"'),
        ('["bytes","00ff"]', '["bytes","0g"]'),
        ('[1,["Contents"', '["Contents"'),
        ("]]", "]"),
    ],
)
def test_what_another_version_wrote_is_said_to_be_unreadable(old: str, new: str):
    with pytest.raises(ReplyUnreadable):
        replies.load(Secret(WRITTEN.replace(old, new)))


@pytest.mark.parametrize(
    "text", ['[1,["SessionFate","same"]]', '[1,["Contents",5]]', '[1,["Contents",{}]]', "[]", "{}", ""]
)
def test_what_is_no_reply_is_unreadable_too(text: str):
    with pytest.raises(ReplyUnreadable):
        replies.load(Secret(text))


def test_whoever_cannot_read_a_reply_does_not_quote_it():
    with pytest.raises(ReplyUnreadable) as raised:
        replies.load(Secret(WRITTEN[:-1]))
    shown = "".join(traceback.format_exception(raised.value))
    assert "s3cret" not in shown
    assert "code-1" not in shown


@pytest.mark.parametrize("foreign", [object(), complex(1, 2), attrs.make_class("Kind", ["id"])("a namesake")])
def test_nothing_is_stored_that_could_not_be_read_back(foreign: Any):
    with pytest.raises(BrokenPromise):
        replies.dump(attrs.evolve(CONTENTS, actor=foreign))


def test_an_answer_shows_a_secret_wherever_it_stands():
    bare = attrs.evolve(ENROLLED, recovery_codes=())
    assert replies.holds_secret(ENROLLED)
    assert not replies.holds_secret(bare)  # the session, which every answer has, is none
    assert replies.holds_secret(attrs.evolve(bare, kind=frozenset({Secret("x")})))
    assert replies.holds_secret(attrs.evolve(bare, kind={"a": [Secret("x")]}))
    assert replies.holds_secret(attrs.evolve(bare, kind=ENROLLED.session))


def test_flags_that_are_set_together_come_back():
    both = MemberFlag.SSO_LINKED | MemberFlag.IDP_PROVISIONED
    assert replies._read(replies.plain(both)) == both


@given(one=st.lists(st.text() | st.integers()), other=st.lists(st.text() | st.integers()))
def test_equal_values_and_only_those_are_the_same_text(one: list[Any], other: list[Any]):
    texts = [replies.text_of(replies.plain(values)) for values in (one, other)]
    assert (texts[0] == texts[1]) == (one == other)
    assert replies._read(json.loads(texts[0])) == one
