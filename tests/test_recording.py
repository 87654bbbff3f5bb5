"""What a command leaves behind is what the table of facts says, and nothing else."""

from __future__ import annotations

import base64
import json
from contextlib import suppress
from datetime import timedelta
from itertools import product
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from authflow.adapters.keys import AesGcmCipher, KeyRing
from authflow.adapters.memory.unit_of_work import MemoryUnitOfWork
from authflow.errors import MessageInvalid, SealBroken, UnknownCategory, UnknownOrganization
from authflow.facts import membership, mfa
from authflow.facts.records import PAYLOAD_MAX, AuditEntry, Category, Message, Scope
from authflow.facts.table import RECORDS, SCOPES, About
from authflow.ports import Organization, User, UserAddress
from authflow.recording import LABEL_MAX, NAME_MAX, Recorder, check_message, legible, mail_binding, shown
from authflow.testing import SeededEntropy
from authflow.testing.clocks import START
from authflow.values import (
    IDENTIFIER_MAX,
    Address,
    Asker,
    Context,
    OrganizationId,
    ProjectId,
    Role,
    Sealed,
    Secret,
    SessionId,
    UserId,
)

ADDRESSES = {"email", "address"}
"""Fields of facts that hold a mailbox."""

NOW = START + timedelta(days=3, microseconds=7)
HIDDEN = "correct-horse-battery-staple"

ANNE = User(
    id=UserId("user"),
    label="anne",
    addresses=(
        UserAddress(address=Address("anne@work.example"), primary=False, verified_at=START),
        UserAddress(address=Address("anne@example.org"), primary=True, verified_at=START),
        UserAddress(address=Address("anne@unproven.example"), primary=False),
    ),
)
ACME = Organization(
    id=OrganizationId("organization"),
    slug="acme",
    name="Acme",
    default_role=Role("member"),
    regions=("de", "us"),
    security_project=ProjectId("acme-security"),
)
ASKER = Asker(user=UserId("ben"), session=SessionId("session-1"), label="ben@example.org")
CONTEXT = Context(ip="2001:db8::1", user_agent="Mozilla/5.0", request_id="request-1")

SAMPLES: dict[str, Any] = {
    "int": 3,
    "bool": True,
    "datetime": NOW + timedelta(hours=1),
    "Secret": Secret(HIDDEN),
    "tuple[Address, ...]": (Address("eve@example.org"), Address("eve@work.example")),
}


def sample(kind: type[Any], **change: Any) -> Any:
    """Return a fact of *kind*; a field of text says its own name."""
    fields = {field.name: SAMPLES.get(str(field.type), field.name) for field in attrs.fields(kind)}
    return kind(**{**fields, **change})


FACTS = [sample(kind) for kind in RECORDS]
AUDITED = [fact for fact in FACTS if RECORDS[type(fact)].audit is not None]
MAILED = [fact for fact in FACTS if RECORDS[type(fact)].mail is not None]
SEALED = [fact for fact in FACTS if RECORDS[type(fact)].secret is not None]
SIGNALLED = [fact for fact in FACTS if RECORDS[type(fact)].signal is not None]


def name(fact: Any) -> str:
    return type(fact).__name__


class Desk:
    """An installation with one person and one organization, in which facts are recorded."""

    def __init__(self, *, project: str | None = "security", organization: Organization | None = ACME) -> None:
        self.uow = MemoryUnitOfWork()
        entropy = SeededEntropy()
        self.cipher = AesGcmCipher(KeyRing.generate(entropy, START), entropy)
        self.recorder = Recorder(cipher=self.cipher, entropy=entropy, security_project=project and ProjectId(project))
        with self.uow.begin() as tx:
            tx.users.add(ANNE)
            if organization is not None:
                tx.organizations.add(organization)

    def record(self, *facts: Any, asker: Asker = ASKER, context: Context = CONTEXT) -> None:
        with self.uow.begin() as tx:
            self.recorder.record(tx, facts, asker=asker, context=context, now=NOW)

    @property
    def entries(self) -> list[AuditEntry]:
        return list(self.uow.store.table("audit").rows())

    @property
    def messages(self) -> list[Message]:
        return list(self.uow.store.table("outbox").rows())

    def of(self, *categories: Category) -> list[Message]:
        return [message for message in self.messages if message.category in categories]


def recorded(fact: Any) -> dict[str, Any]:
    return {field: getattr(fact, field) for field in RECORDS[type(fact)].fields}


def target(fact: Any) -> Any:
    named = RECORDS[type(fact)].target
    return getattr(fact, named) if named else None


# --- the audit log --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fact", FACTS, ids=name)
def test_an_entry_says_who_did_what_to_whom(fact: Any):
    """Each field, from the fact, its row, the asker and the context (decision 40)."""
    desk, row = Desk(), RECORDS[type(fact)]
    desk.record(fact)
    if row.audit is None:
        assert desk.entries == []
        return
    (entry,) = desk.entries
    assert attrs.asdict(entry, recurse=False) == {
        "id": entry.id,
        "at": NOW,
        "event": row.audit,
        "actor": "ben",
        "actor_label": "ben@example.org",
        "organization": "organization" if row.about is About.ORGANIZATION else None,
        "target_user": getattr(fact, "user", None),
        "target": target(fact),
        "session": "session-1",
        "ip": "2001:db8::1",
        "user_agent": "Mozilla/5.0",
        "request_id": "request-1",
        "data": recorded(fact),
    }


def test_the_system_has_no_user_and_no_session():
    desk = Desk()
    desk.record(*AUDITED, asker=Asker(user=None, session=SessionId("")), context=Context())
    assert {(e.actor, e.actor_label, e.session, e.ip, e.user_agent, e.request_id) for e in desk.entries} == {
        (None, "", None, None, None, None)
    }


def test_entries_keep_the_order_of_the_facts():
    desk = Desk()
    desk.record(*FACTS)
    assert [entry.event for entry in desk.entries] == [RECORDS[type(fact)].audit for fact in AUDITED]


def test_every_id_is_its_own():
    desk = Desk()
    for _ in range(3):
        desk.record(*FACTS)
    ids = [entry.id for entry in desk.entries] + [message.id for message in desk.messages]
    assert len(set(ids)) == len(ids)


def test_no_facts_leave_nothing():
    desk = Desk()
    desk.record()
    assert (desk.entries, desk.messages) == ([], [])


# --- messages -------------------------------------------------------------------------------------------------------


def expected(fact: Any) -> list[tuple[Any, ...]]:
    """Say every message of *fact* but its mails: category, scope, shard, destination, and what its payload says."""
    row, told = RECORDS[type(fact)], list[tuple[Any, ...]]()
    if row.signal is not None:
        args = {f"arg.{arg}": getattr(fact, field) for arg, field in row.args.items()}
        payload = {"signal": int(row.signal), **args}
        told += [(Category.SIGNAL, Scope.ORGANIZATION, "organization", region, payload) for region in ("de", "us")]
    if row.message is not None:
        lanes = {About.PERSON: (Scope.USER, "user"), About.PROJECT: (Scope.PROJECT, "project")}
        scope, shard = lanes.get(row.about, (Scope.ORGANIZATION, "organization"))
        told.append((row.message, scope, shard, None, {"target": target(fact), **recorded(fact)}))
    if row.audit is not None:
        project = "acme-security" if row.about is About.ORGANIZATION else "security"
        data = {f"data.{field}": value for field, value in recorded(fact).items() if field not in ADDRESSES}
        payload = {"timestamp": NOW.isoformat(), "event": row.audit, "user": getattr(fact, "user", None), **data}
        told.append((Category.SECURITY_EVENT, Scope.PROJECT, project, None, {"target": target(fact), **payload}))
    return told


@pytest.mark.parametrize("fact", FACTS, ids=name)
def test_messages_are_what_the_row_says(fact: Any):
    """One signal per region, one announcement, one event for the security project; no more, and no field more."""
    desk = Desk()
    desk.record(fact)
    told = [
        (m.category, m.scope, m.shard, m.destination, {k: v for k, v in m.payload.items() if k != "event_id"})
        for m in desk.messages
        if m.category is not Category.MAIL
    ]
    assert sorted(told, key=repr) == sorted(expected(fact), key=repr)


@pytest.mark.parametrize("fact", FACTS, ids=name)
def test_a_message_is_due_at_once_and_on_its_own(fact: Any):
    """A fresh object never coalesces; where the row names one, it is that field."""
    desk, row = Desk(), RECORDS[type(fact)]
    desk.record(fact)
    for message in desk.messages:
        assert (message.at, message.due_at) == (NOW, NOW)
        named = row.object if message.category is row.message else None
        assert message.object == (getattr(fact, named) if named else message.id)
        assert message.expires_at == (fact.expires_at if "sealed" in message.payload else None)


def test_a_security_event_has_an_id_of_its_own():
    """Fixed in the command: a second delivery saves the identical event (decision 38)."""
    desk = Desk()
    desk.record(*FACTS, *FACTS)
    ids = [message.payload["event_id"] for message in desk.of(Category.SECURITY_EVENT)]
    assert len(set(ids)) == len(ids) == 2 * len(AUDITED)
    assert all(len(bytes.fromhex(str(key))) == 16 for key in ids)


def test_an_organization_learns_no_address():
    """Facts of its membership come without the IP address of its people (decision 38)."""
    desk = Desk()
    desk.record(*FACTS)
    theirs = [m for m in desk.messages if m.scope is Scope.ORGANIZATION or m.shard == "acme-security"]
    assert theirs
    assert "2001:db8::1" not in repr(theirs)


def test_an_event_names_nobody_by_an_address():
    """Whoever is invited is an outsider to every reader of a security project; the audit log keeps the mailbox."""
    desk = Desk()
    desk.record(*FACTS)
    told = desk.of(Category.SECURITY_EVENT)
    assert told
    assert not [name for message in told for name in message.payload if name.removeprefix("data.") in ADDRESSES]
    assert {name for entry in desk.entries for name in entry.data} >= ADDRESSES


def test_without_a_security_project_no_event_is_saved():
    desk = Desk(project=None, organization=attrs.evolve(ACME, security_project=None))
    desk.record(*FACTS)
    assert desk.of(Category.SECURITY_EVENT) == []
    assert len(desk.entries) == len(AUDITED)


# --- mails ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fact", FACTS, ids=name)
def test_a_mail_goes_to_each_verified_address(fact: Any):
    """Of the person, the primary one first; or to the recipients that the fact names (decision 37)."""
    desk, row = Desk(), RECORDS[type(fact)]
    desk.record(fact)
    to = getattr(fact, "recipients", ("anne@example.org", "anne@work.example")) if row.mail else ()
    assert tuple(message.payload["to"] for message in desk.of(Category.MAIL)) == to


@pytest.mark.parametrize("fact", MAILED, ids=name)
def test_a_mail_says_what_its_row_says(fact: Any):
    desk, row = Desk(), RECORDS[type(fact)]
    desk.record(fact)
    person = row.about is About.PERSON
    for message in desk.of(Category.MAIL):
        told = {k: v for k, v in message.payload.items() if k not in {"to", "key_id", "sealed"}}
        origin = {"at": NOW.isoformat(timespec="seconds"), "ip": CONTEXT.ip if person else None, "actor": ASKER.label}
        named = {} if person and "organization" not in row.fields else {"organization_name": "Acme"}
        assert told == {"mail": row.mail, "target": target(fact), **recorded(fact), **origin, **named}
        assert (message.scope, message.shard) == (
            (Scope.USER, "user") if person else (Scope.ORGANIZATION, "organization")
        )
        assert message.destination is None


@pytest.mark.parametrize("fact", SEALED, ids=name)
def test_a_mailed_secret_opens_for_its_recipient_only(fact: Any):
    """It is bound to this message and this address: neither another mail's place nor another's mailbox opens it."""
    desk = Desk()
    desk.record(fact, fact)
    mails = desk.of(Category.MAIL)
    assert len(mails) == 4
    for message, other in product(mails, mails):
        payload = message.payload
        sealed = Sealed(key_id=str(payload["key_id"]), ciphertext=base64.b64decode(str(payload["sealed"])))
        place = mail_binding(other.id, str(other.payload["to"]))
        if message is other:
            assert desk.cipher.open(sealed, bound_to=place).reveal() == HIDDEN
            continue
        with pytest.raises(SealBroken):
            desk.cipher.open(sealed, bound_to=place)
        with pytest.raises(SealBroken):
            desk.cipher.open(sealed, bound_to=mail_binding(message.id, "mallory@example.org"))


def test_no_secret_is_written_anywhere():
    desk = Desk()
    desk.record(*FACTS)
    written = repr(desk.entries) + repr(desk.messages) + json.dumps([dict(m.payload) for m in desk.messages])
    assert HIDDEN not in written
    assert base64.b64encode(HIDDEN.encode()).decode() not in written
    assert "Secret(" not in written


def test_nobody_is_mailed_at_an_address_that_was_never_proven():
    desk = Desk()
    nobody = sample(mfa.FactorEnrolled, user=UserId("nobody"))
    with desk.uow.begin() as tx:
        tx.users.add(
            User(id=UserId("carl"), label="carl", addresses=(UserAddress(address=Address("c@d.e"), primary=True),))
        )
    desk.record(nobody, sample(mfa.FactorEnrolled, user=UserId("carl")))
    assert desk.of(Category.MAIL) == []
    assert len(desk.entries) == 2


# --- what is refused ------------------------------------------------------------------------------------------------

OF_ORGANIZATION = [fact for fact in FACTS if RECORDS[type(fact)].about is About.ORGANIZATION]


def refuse(desk: Desk, kind: type[Exception], *facts: Any) -> None:
    """Recording *facts* raises *kind*, and even inside the transaction nothing was written before it did."""
    with desk.uow.begin() as tx:
        with pytest.raises(kind):
            desk.recorder.record(tx, facts, asker=ASKER, context=CONTEXT, now=NOW)
        assert (desk.entries, desk.messages) == ([], [])


@pytest.mark.parametrize("fact", OF_ORGANIZATION, ids=name)
def test_an_unknown_organization_is_refused(fact: Any):
    refuse(Desk(organization=None), UnknownOrganization, sample(mfa.FactorEnrolled), fact)


@pytest.mark.parametrize("fact", OF_ORGANIZATION, ids=name)
def test_a_signal_that_would_reach_nobody_is_refused(fact: Any):
    """An organization without any region may have facts, but no signals."""
    desk = Desk(organization=attrs.evolve(ACME, regions=()))
    if fact in SIGNALLED:
        refuse(desk, UnknownOrganization, fact)
        return
    desk.record(fact)
    assert len(desk.entries) == (RECORDS[type(fact)].audit is not None)


def test_a_payload_that_is_too_large_is_refused():
    refuse(
        Desk(), MessageInvalid, sample(membership.MemberAdded), sample(membership.MemberAdded, teams="x" * PAYLOAD_MAX)
    )


MESSAGE = Message(
    id="m", scope=Scope.USER, shard="user", category=Category.MAIL, object="o", payload={}, at=NOW, due_at=NOW
)


def test_the_largest_payload_is_4_kib_of_json():
    """Counted as it is sent, escapes included."""
    room = PAYLOAD_MAX - len(json.dumps({"x": ""}))
    check_message(attrs.evolve(MESSAGE, payload={"x": "x" * room}))
    check_message(attrs.evolve(MESSAGE, payload={"x": "\u00e4" * (room // 6)}))
    for too_large in ("x" * (room + 1), "\u00e4" * (room // 6 + 1)):
        with pytest.raises(MessageInvalid):
            check_message(attrs.evolve(MESSAGE, payload={"x": too_large}))


@pytest.mark.parametrize(("scope", "category"), list(product(Scope, Category)))
def test_a_category_belongs_to_its_scopes(scope: Scope, category: Category):
    message = attrs.evolve(MESSAGE, scope=scope, category=category)
    if scope in SCOPES[category]:
        check_message(message)
        return
    with pytest.raises(UnknownCategory):
        check_message(message)


@pytest.mark.parametrize("field", ["id", "shard", "object"])
def test_a_message_without_a_key_is_refused(field: str):
    with pytest.raises(MessageInvalid):
        check_message(attrs.evolve(MESSAGE, **{field: ""}))


# --- what strangers send --------------------------------------------------------------------------------------------


@given(st.text(st.characters(exclude_categories=())), st.integers(1, 20))
def test_what_is_legible_can_be_stored(text: str, longest: int):
    shown = legible(text, longest)
    assert len(shown) <= longest
    assert "\x00" not in shown.encode().decode()
    assert legible(shown, longest) == shown
    with suppress(UnicodeEncodeError):
        text.encode()
        assert shown == text.replace("\x00", "")[:longest]


@given(st.text(st.characters(exclude_categories=())) | st.text('\U0001f600"\\\n', min_size=20))
def test_a_name_in_a_mail_is_one_line_within_its_bytes(text: str):
    """A host's template may put it into a subject."""
    name = shown(text)
    room = NAME_MAX + len(json.dumps(""))
    assert len(json.dumps(name)) <= room
    assert name.isprintable()
    assert shown(name) == name
    if text.isprintable() and len(json.dumps(text)) <= room:
        assert name == text


FACE = "\U0001f600"
"""Four bytes in UTF-8, and twelve in JSON."""

LONGEST: dict[str, Any] = {
    **dict.fromkeys(("email", "address"), Address(FACE * 62 + "@a.com")),
    "recipients": (Address(FACE * 62 + "@a.com"),),
    "role": FACE * 64,
    "teams": ",".join(f"{number:02}".ljust(IDENTIFIER_MAX, "x") for number in range(32)),
    "token": Secret("f" * 64),
}


@pytest.mark.parametrize("kind", [type(fact) for fact in MAILED], ids=lambda kind: kind.__name__)
def test_whatever_is_mailed_fits_into_its_message(kind: type[Any]):
    """The longest addresses, identifiers, names, role and teams that there can be; only teams are left out."""
    names = {field.name for field in attrs.fields(kind)}
    identifiers = names & {"authenticator", "invitation", "member"}
    longest = {**LONGEST, **dict.fromkeys(identifiers, "x" * IDENTIFIER_MAX)}
    fact = sample(kind, **{name: value for name, value in longest.items() if name in names})
    desk = Desk(organization=attrs.evolve(ACME, name=FACE * 128))
    desk.record(fact, asker=attrs.evolve(ASKER, label=HOSTILE), context=Context(ip=HOSTILE))
    mails = desk.of(Category.MAIL)
    assert mails
    for payload in (message.payload for message in mails):
        assert {name: payload[name] for name in names & {"email", "address", "role"}} == {
            name: longest[name] for name in names & {"email", "address", "role"}
        }
        assert set(str(payload.get("teams", "")).split(",")) <= {*str(LONGEST["teams"]).split(","), ""}


@pytest.mark.parametrize("kind", [membership.MemberDemoted, membership.MemberInvited, membership.InvitationResent])
def test_a_mail_names_every_team_where_there_is_room(kind: type[Any]):
    desk = Desk(organization=attrs.evolve(ACME, name=FACE * 128))
    long = Address("x" * 64 + "@" + "y" * 185 + ".com")
    desk.record(sample(kind, teams=LONGEST["teams"], email=long, recipients=(long,)))
    assert [message.payload["teams"] for message in desk.of(Category.MAIL)] == [LONGEST["teams"]]


HOSTILE = "\x00\ud800\U0001f511'\"\\;-- " * 1000


def test_every_database_stores_what_strangers_send(uow: Any):
    """Over-long, with NUL and half a character: an audit entry never fails a command because of a header."""
    long = "x" * IDENTIFIER_MAX
    entropy = SeededEntropy()
    recorder = Recorder(cipher=AesGcmCipher(KeyRing.generate(entropy, START), entropy), entropy=entropy)
    asker = Asker(user=UserId(long), session=SessionId(long), label=HOSTILE)
    context = Context(ip=HOSTILE, user_agent=HOSTILE, request_id=HOSTILE)
    with uow.begin() as tx:
        tx.users.add(ANNE)
        tx.organizations.add(ACME)
        recorder.record(tx, FACTS, asker=asker, context=context, now=NOW)
    with uow.begin() as tx:
        found = [*tx.audit.of_user(ANNE.id, limit=1000), *tx.audit.of_organization(ACME.id, limit=1000)]
    assert len(found) == len(AUDITED)
    assert {len(entry.actor_label) for entry in found} == {LABEL_MAX}


def test_times_are_those_of_the_command():
    desk = Desk()
    desk.record(*FACTS)
    assert {entry.at for entry in desk.entries} == {message.at for message in desk.messages} == {NOW}
