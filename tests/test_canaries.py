"""No secret is found where it does not belong: canaries go through every command, and every sink is searched.

*Secrets* are everything that ever was a `Secret`, every code that was typed, every handle and every key of the host's.
They must stand nowhere in clear, in no usual encoding. *Private* texts, such as addresses and names, belong into the
host's tables, the audit log and the mails; logs, spans, explanations and exceptions are no place for them either.
"""

from __future__ import annotations

import base64
import binascii
import json
import logging
import re
import sqlite3
import tempfile
import traceback
from contextlib import closing, contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from authflow import Context, FlagGroup, MailKind, Policy, Refused, Secret
from authflow.adapters.sql.engine import make_engine
from authflow.adapters.sql.tables import build
from authflow.adapters.sql.unit_of_work import SqlUnitOfWork
from authflow.journey.answers import Enrolled
from authflow.membership.standing import MemberFlag
from authflow.policy import SsoPolicy
from authflow.sso.case import Choice
from authflow.sso.kinds import Callback
from authflow.testing.browsers import Browser
from authflow.testing.clocks import SeededEntropy
from authflow.testing.federation import FakeFederation
from authflow.testing.strategies import recovery_codes
from authflow.values import NOBODY, OrganizationId, ProjectId
from tests.canaries_sso import signed_on
from tests.journey.sso_stage import SsoStage
from tests.stage import STEP, Person
from tests.test_command import ALL, services
from tests.tracing import traced

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from authflow.adapters.sql.tap import Event

ANSWERED: dict[str, list[str]] = json.loads((Path(__file__).parents[1] / "docs" / "answered.json").read_text("utf-8"))
"""Which commands may answer with which code, as the page of codes says."""

SHORTEST = 12
"""Characters from which on a text is found by searching it anywhere; a shorter one stands alone, or is chance."""


# --- searching --------------------------------------------------------------------------------------------------------


@cache
def forms(text: str) -> frozenset[bytes]:
    """Return the usual encodings of *text*, in small letters; without its blanks and hyphens too."""
    plain = {text.encode(errors="surrogatepass"), re.sub(r"[ -]", "", text).encode(errors="surrogatepass")}
    return frozenset(form.lower() for raw in plain | _opened(text) for form in _encoded(raw))


def _opened(text: str) -> set[bytes]:
    """Return the bytes that *text* may stand for: what is behind base32 or hex is as secret as the text."""
    found = set[bytes]()
    for decode in (lambda: base64.b32decode(text + "=" * (-len(text) % 8), casefold=True), lambda: bytes.fromhex(text)):
        try:
            found.add(decode())
        except (binascii.Error, ValueError):
            continue
    return {raw for raw in found if len(raw) >= SHORTEST}


def _encoded(raw: bytes) -> Iterator[bytes]:
    yield raw
    yield raw.hex().encode()
    yield base64.b32encode(raw).rstrip(b"=")
    for before in range(3):  # in the middle of something encoded it begins at any of three places
        inside = base64.b64encode(b"\0" * before + raw).rstrip(b"=")
        core = inside[(0, 2, 3)[before] : len(inside) - (len(raw) + before) % 3]
        yield core
        yield core.translate(bytes.maketrans(b"+/", b"-_"))


def found(text: str, sink: bytes) -> bool:
    """Tell whether *text* stands in *sink*, which is in small letters; a short one must stand alone."""
    if len(text) >= SHORTEST:
        return any(form in sink for form in forms(text))
    return re.search(rb"(?<![\w.])%s(?!\w)" % re.escape(text.lower().encode()), sink) is not None


@pytest.mark.parametrize("text", ["kanary-4f8a-91c2-77", "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP", "00ff" * 16, "123456"])
def test_a_canary_is_found_in_every_encoding(text: str):
    raw = text.encode()
    clear = [raw, raw.upper(), b'{"a": "%s"}' % raw]
    coded = [
        raw.hex().encode(),
        base64.b32encode(raw),
        *(base64.b64encode(b"x" * n + raw + b"yz") for n in range(4)),
        *(base64.urlsafe_b64encode(b"x" * n + raw + b"yz") for n in range(4)),
        *_opened(text),
    ]
    sinks = clear if len(text) < SHORTEST else clear + coded
    assert [sink for sink in sinks if not found(text, b"before " + sink.lower() + b" behind")] == []


@pytest.mark.parametrize("sink", [b"1234567", b"0.123456", b"id123456", b"kanary-4f8a-91c2", b""])
def test_nothing_else_is_found(sink: bytes):
    assert not found("123456", sink)
    assert not found("kanary-4f8a-91c2-77", sink)


# --- what is secret ---------------------------------------------------------------------------------------------------


class Canaries:
    """Every secret and every private text of one walk."""

    def __init__(self, mark: str) -> None:
        self.mark = mark
        self.secrets: set[str] = set()
        self.private: set[str] = {f"kanary-ip-{mark}", f"kanary-agent-{mark}"}
        self._keys = 0

    def secret(self, text: str) -> str:
        self.secrets.add(text)
        return text

    def told(self, text: str) -> str:
        """Return *text*, which is private."""
        self.private.add(text)
        return text

    def address(self, name: str) -> str:
        return self.told(f"{name}-kanary-{self.mark}@example.com")

    def context(self) -> Context:
        """Return where a command comes from, with a key of its own."""
        self._keys += 1
        key = self.secret(f"kanary-key-{self.mark}-{self._keys}")
        ip, agent = sorted(text for text in self.private if "-ip-" in text or "-agent-" in text)[::-1]
        return Context(ip=ip, user_agent=agent, request_id=f"r-{self._keys}", idempotency_key=key)


@contextmanager
def seen_secrets(canaries: Canaries) -> Iterator[None]:
    """Let everything that becomes a `Secret` in the block be a canary: so none can be forgotten."""
    made = Secret.__init__

    def noted(self: Secret, text: str) -> None:
        made(self, text)
        if len(text) >= SHORTEST:
            canaries.secrets.add(text)

    Secret.__init__ = noted  # type: ignore[method-assign]  # watched, not changed
    try:
        yield
    finally:
        Secret.__init__ = made  # type: ignore[method-assign]  # as it was


# --- the sinks --------------------------------------------------------------------------------------------------------


class Tape(logging.Handler):
    """Everything that any logger says, at DEBUG, with every field of the record."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)

    def text(self) -> str:
        """Return every different thing that was said, and every field beside those of all records."""
        usual = vars(logging.makeLogRecord({})).keys()
        fields = ({name: value for name, value in vars(r).items() if name not in usual} for r in self.records)
        shown = {
            f"{logging.Formatter().format(r)} {r.args} {extra}" for r, extra in zip(self.records, fields, strict=True)
        }
        return "\n".join(sorted(shown))

    def refused(self) -> set[tuple[str, str]]:
        """Return which command refused with which code."""
        fields = [vars(record) for record in self.records if record.name == "authflow.refused"]
        return {(one["authflow_command"], one["authflow_code"]) for one in fields}

    def commands(self, outcome: str) -> set[str]:
        """Return the names of the commands that ended so."""
        fields = [vars(record) for record in self.records if record.name == "authflow.command"]
        return {one["authflow_command"] for one in fields if one["authflow_outcome"] == outcome}


@contextmanager
def every_log() -> Iterator[Tape]:
    tape = Tape()
    loggers = [logging.getLogger(name) for name in (None, "authflow", "sqlalchemy", "sqlalchemy.engine")]
    before = [(logger, logger.level) for logger in loggers]
    logging.getLogger().addHandler(tape)
    for logger in loggers:
        logger.setLevel(logging.DEBUG)
    try:
        yield tape
    finally:
        logging.getLogger().removeHandler(tape)
        for logger, level in before:
            logger.setLevel(level)


class Fails:
    """A tap: the database fails at every statement that writes, with what a driver might say."""

    def before(self, event: Event) -> None:
        if re.match(r"\s*(insert|update|delete)", event.text, re.IGNORECASE):
            msg = "disk I/O error"
            raise sqlite3.OperationalError(msg)

    def after(self, event: Event) -> None:
        """Say nothing."""


class Keyed(Browser):
    """A browser whose every request has a key of its own."""

    def __init__(self, canaries: Canaries) -> None:
        self._canaries = canaries
        super().__init__()

    @property
    def context(self) -> Context:  # type: ignore[override]  # another one at every request
        return self._canaries.context()

    @context.setter
    def context(self, _value: Context) -> None:
        """A browser is made with one; this one makes its own."""


class Walk(SsoStage):
    """An installation on a SQLite file, and what came out of its commands."""

    def __init__(self, folder: Path, canaries: Canaries) -> None:
        self.file, self.canaries = folder / "authflow.sqlite3", canaries
        self.engine, tables = make_engine(f"sqlite:///{self.file}"), build()
        tables.metadata.create_all(self.engine)
        with closing(sqlite3.connect(self.file)) as connection:
            connection.execute("PRAGMA journal_mode = WAL")
        self.shown: list[str] = []
        self.raised: list[str] = []
        self.why: list[str] = []
        self.posted: set[str] = set()
        policy = Policy(sso=SsoPolicy(idp_initiated=True))
        super().__init__(SqlUnitOfWork(self.engine, tables), policy, entropy=SeededEntropy(canaries.mark))
        for name in services():
            object.__setattr__(self.flows, name, Recorded(getattr(self.flows, name), self))

    def provider(self) -> FakeFederation:
        """Make one that can do everything, so that every command can answer."""
        return FakeFederation()

    def note(self, call: Callable[[], Any]) -> Any:
        """Return what *call* returns, and write down what a host could log of it."""
        try:
            answer = call()
        except Exception as error:
            self.raised += [repr(error), *traceback.format_exception(error)]
            raise
        self.shown.append(repr(answer))
        if isinstance(answer, Refused):
            self.why += [repr(answer.why), str(answer.problems)]
        self.canaries.secrets |= {flow for flow in [getattr(answer, "flow", None)] if flow is not None}
        return answer

    def newcomer(self, name: str, **settings: Any) -> Person:
        person = self.person(self.canaries.address(name), **settings)
        person.browser = Keyed(self.canaries)
        return person

    def sinks(self) -> dict[str, bytes]:
        """Return where a secret must not stand: what a host may log, and what is stored, the write-ahead log too."""
        files = sorted(self.file.parent.glob(f"{self.file.name}*"))
        rows = {f"rows of {name}": "\n".join(sorted(rows)) for name, rows in self.snapshot().items()}
        texts = {
            "answers": "\n".join(self.shown),
            "services": repr([self.flows, *(getattr(self.flows, name) for name in services())]),
            **rows,
        }
        texts["messages"] = "\n".join(sorted(self.posted))
        return {**_small(texts), **{f"file {file.suffix}": file.read_bytes().lower() for file in files}}

    def spoken(self) -> dict[str, bytes]:
        """Return what engineers read."""
        return _small({"exceptions": "\n".join(self.raised), "why": "\n".join(self.why)})


def _small(texts: dict[str, str]) -> dict[str, bytes]:
    return {name: text.lower().encode(errors="surrogatepass") for name, text in texts.items()}


class Recorded:
    """A service of which everything that comes out is written down."""

    def __init__(self, service: Any, walk: Walk) -> None:
        self._service, self._walk = service, walk

    def __getattr__(self, name: str) -> Any:
        if name.startswith("drain"):
            self._walk.posted |= self._walk.snapshot().get("outbox", frozenset())
        member = getattr(self._service, name)
        return (lambda *a, **k: self._walk.note(lambda: member(*a, **k))) if callable(member) else member

    def __repr__(self) -> str:
        return repr(self._service)


# --- every command, answered ------------------------------------------------------------------------------------------


def walk_through(walk: Walk, wrong: str) -> None:
    """Let every command of the facade answer, with wrong codes typed in between."""
    acme = walk.organization()
    root = walk.newcomer("root", administrator=True)
    walk.sign_in(root)
    _enroll(walk, root, wrong)
    olga = walk.newcomer("olga")
    walk.flows.members.add(walk.canaries.context(), organization=acme, user=olga.user, role="owner")
    walk.sign_in(olga)
    _enroll(walk, olga, wrong)
    ada = _invited(walk, olga, acme, wrong)
    _managed(walk, olga, ada, acme)
    _answered(walk, ada, wrong)
    _kept(walk, ada)
    _reset(walk, root, ada)
    signed_on(walk, root, olga, lambda: Keyed(walk.canaries))
    _accounts(walk, root, ada)
    _events(walk)
    _tended(walk, olga, acme)


def _code(walk: Walk, person: Person) -> str:
    return walk.canaries.secret(person.app.code(walk.clock.now()))


def _enroll(walk: Walk, person: Person, wrong: str) -> None:
    mfa, at = walk.flows.mfa, person.browser
    begun = walk.begin(person)
    shown = at.ask(mfa.show_totp, at.context, begun.flow, account=person.user)
    assert shown.secret == begun.secret
    at.ask(mfa.cancel_totp, at.context, begun.flow)
    for typed in (wrong[:20], wrong * 8):
        assert isinstance(walk.complete(person, begun, walk.canaries.secret(typed)), Refused)
    walk.enroll(person)
    walk.canaries.secrets |= {_code(walk, person), *person.codes}


def _invited(walk: Walk, olga: Person, acme: OrganizationId, wrong: str) -> Person:
    inv = walk.flows.invitations
    ada, bob = walk.newcomer("ada"), walk.newcomer("bob")
    letter = walk.resend(olga, walk.invite(olga, acme, ada.user))
    ada.browser.ask(inv.look, **letter.where())
    olga.browser.ask(inv.pending, organization=acme)
    walk.sign_in(ada)
    ada.browser.ask(inv.mine)
    walk.change(acme, require_second_factor=True)
    walk.accept(ada, letter)
    walk.resume(ada.browser)
    _enroll(walk, ada, wrong)
    walk.change(acme, require_second_factor=False)
    walk.sign_in(bob)
    asked = bob.browser.ask(inv.request_join, bob.browser.context, organization=acme)
    olga.browser.ask(inv.approve, olga.browser.context, organization=acme, invitation=asked.invitation)
    second = walk.invite(olga, acme, walk.canaries.address("cat"))
    olga.browser.ask(inv.withdraw, olga.browser.context, organization=acme, invitation=second.invitation)
    request = ada.browser.ask(
        inv.request_invite, ada.browser.context, organization=acme, email=walk.canaries.address("dan")
    )
    olga.browser.ask(inv.reject, olga.browser.context, organization=acme, invitation=request.invitation)
    return ada


def _managed(walk: Walk, olga: Person, ada: Person, acme: OrganizationId) -> None:
    members, at = walk.flows.members, olga.browser
    at.ask(members.enter, organization=acme)
    rows = {member.user: member.id for member in at.ask(members.listing, organization=acme).members}
    where: dict[str, Any] = {"organization": acme, "member": rows[ada.user]}
    at.ask(members.change_role, at.context, **where, role="admin")
    at.ask(members.set_teams, at.context, **where, teams=["red"])
    members.set_flags(
        walk.canaries.context(), organization=acme, user=ada.user, group=FlagGroup.LIMIT, flags=MemberFlag.NONE
    )
    at.ask(members.enforce, at.context, organization=acme)
    walk.flows.members.add(walk.canaries.context(), organization=acme, user=walk.newcomer("eve").user)
    rows = {member.user: member.id for member in at.ask(members.listing, organization=acme).members}
    eve = next(key for user, key in rows.items() if user.startswith("eve"))
    at.ask(members.demote, at.context, organization=acme, member=eve)
    at.ask(members.remove, at.context, **where)


def _answered(walk: Walk, ada: Person, wrong: str) -> None:
    sessions = walk.flows.sessions
    other = Keyed(walk.canaries)
    walk.sign_in(ada, other)
    other.ask(sessions.cancel, other.context)
    walk.sign_in(ada, other)
    for kind, typed in (("totp", wrong), ("recovery", wrong), ("recovery", wrong * 8)):
        assert isinstance(walk.verify(ada, kind, walk.canaries.secret(typed), other), Refused)
    walk.verify(ada, "recovery", ada.codes.pop(), other)
    walk.clock.advance(STEP)
    walk.verify(ada, "totp", _code(walk, ada))
    other.ask(sessions.look)
    sessions.identify(other.session)
    other.ask(sessions.end_others, other.context)
    other.ask(sessions.sign_out, other.context)


def _kept(walk: Walk, ada: Person) -> None:
    mfa, at = walk.flows.mfa, ada.browser
    walk.elevate(ada)
    at.ask(mfa.listing)
    at.ask(mfa.details, ada.factor)
    at.ask(mfa.rename, at.context, ada.factor, name=walk.canaries.told(f"kanary-phone-{walk.canaries.mark}"))
    at.ask(mfa.regenerate_codes, at.context)
    at.ask(mfa.remove, at.context, ada.factor)


def _reset(walk: Walk, root: Person, ada: Person) -> None:
    walk.elevate(root)
    walk.sign_in(ada)
    walk.enroll(ada)
    reason = walk.canaries.told(f"kanary-reason-{walk.canaries.mark}")
    root.browser.ask(walk.flows.mfa.reset, root.browser.context, user=ada.user, reason=reason)
    mail = walk.mails(MailKind.MFA_RESET)[-1]
    walk.sign_in(ada)
    token = Secret(str(mail.context["token"]))
    ada.browser.ask(walk.flows.sessions.redeem, ada.browser.context, token=token)
    assert isinstance(walk.enroll(ada), Enrolled)


def _accounts(walk: Walk, root: Person, ada: Person) -> None:
    accounts, at = walk.flows.accounts, root.browser
    more = walk.canaries.address("more")
    walk.give_address(ada.user, more, verified=False)
    walk.sign_in(ada)
    ada.browser.ask(accounts.send_confirmations, ada.browser.context)
    token = Secret(str(walk.mails(MailKind.ADDRESS_CONFIRMATION)[-1].context["token"]))
    ada.browser.ask(accounts.look_at_confirmation, token=token)
    ada.browser.ask(accounts.confirm_address, ada.browser.context, token=token)
    accounts.void_confirmations(user=ada.user, address=more)
    at.ask(accounts.record_verified_address, at.context, user=ada.user, address=ada.user)
    at.ask(accounts.export, at.context, user=ada.user)
    at.ask(accounts.merge, at.context, source=walk.newcomer("fay").user, target=ada.user)
    at.ask(accounts.delete, at.context, user=ada.user)


def _events(walk: Walk) -> None:
    events, web = walk.flows.events, walk.project(ProjectId("web"), OrganizationId("acme"), security=False)
    document = {"type": "generic", "event_id": "a" * 32, "timestamp": walk.clock.now().isoformat()}
    events.normalize(events.draft(document), web)
    events.save(web, document)
    events.get(web, "a" * 32)
    events.of_day(web, str(walk.clock.now().date()), "a" * 32)
    events.latest(web)


def _tended(walk: Walk, olga: Person, acme: OrganizationId) -> None:
    flows = walk.flows
    flows.audit.of_user(olga.user)
    flows.audit.of_organization(acme)
    flows.outbox.depths()
    flows.relay.drain()
    flows.outbox.parked()
    flows.outbox.redrive(["unknown"])
    flows.relay.drain_until_quiet()
    flows.upkeep.reseal()
    flows.upkeep.sweep()


# --- every command, with anything -------------------------------------------------------------------------------------


def storm(walk: Walk, person: Person) -> None:
    """Ask every command with canaries for arguments: as a stranger, and as somebody."""
    for name, service in ((name, getattr(walk.flows, name)) for name in services()):
        for command in (found for found in ALL.values() if found.name.startswith(f"{name}.")):
            method = getattr(service, command.name.partition(".")[2])
            for session in (NOBODY, person.browser.session):
                names = [one for one in command.signature.parameters if one != "self"]
                given = {one: anything(walk, one) for one in names} | ({"session": session} if names[:1] else {})
                try:
                    method(**{one: given[one] for one in names})
                except Exception:  # noqa: BLE001, S112  # whatever it is, it is written down already
                    continue


def anything(walk: Walk, parameter: str) -> Any:
    """Return an argument that names nothing; a parameter that is not here yet has to be thought about."""
    c, mark = walk.canaries, walk.canaries.mark
    token, typed = c.secret(f"kanary-token-{mark}-00000000"), c.secret(f"kanary-code-{mark}" * 5)
    table: dict[str, Callable[[], Any]] = {
        **dict.fromkeys(("token", "device"), lambda: Secret(token)),
        **dict.fromkeys(("pipeline", "ticket"), lambda: Secret(f"kanary.{token}")),
        "query": lambda: f"SAMLRequest={token}&SAMLResponse={typed}",
        "callback": lambda: Callback(fields={"state": (f"kanary.{token}",), "code": (typed,)}),
        "settings": lambda: {"client_secret": typed},
        "choice": lambda: Choice.LINK,
        "default_role": lambda: "unknown",
        **dict.fromkeys(("link", "provider"), lambda: "unknown"),
        **dict.fromkeys(("required", "newcomers", "scim"), lambda: True),
        **dict.fromkeys(("code", "flow"), lambda: typed),
        **dict.fromkeys(("address", "email", "account"), lambda: c.address("nobody")),
        **dict.fromkeys(("name", "reason", "cache_key"), lambda: c.told(f"kanary-name-{mark}")),
        **dict.fromkeys(("user", "source", "target", "subject", "organization", "invitation"), lambda: "unknown"),
        **dict.fromkeys(("member", "authenticator", "project_id", "after", "role", "kind"), lambda: "unknown"),
        **dict.fromkeys(("limit", "rounds"), lambda: 3),
        **dict.fromkeys(("raw", "assume_normalized", "skip_send_first_transaction", "has_attachments"), lambda: False),
        "session": lambda: NOBODY,
        "context": c.context,
        "event": lambda: {"message": c.told(f"kanary-event-{mark}")},
        "client_ip": lambda: c.told(f"kanary-ip-{mark}"),
        "day": lambda: "2026-01-01",
        "start_time": lambda: None,
        "confirmed": lambda: True,
        "teams": lambda: ["unknown"],
        "ids": lambda: ["unknown"],
        "proof": walk.password,
        "group": lambda: FlagGroup.LIMIT,
        "flags": lambda: MemberFlag.NONE,
    }
    return table[parameter]()


# --- the law ----------------------------------------------------------------------------------------------------------


@settings(max_examples=3, phases=[Phase.generate])  # a smaller mark is no better example
@given(
    mark=st.text("0123456789abcdef", min_size=8, max_size=8),
    wrong=st.one_of(recovery_codes(), st.text("0123456789abcdefXYZ", min_size=12, max_size=20)),
)
def test_no_secret_is_found_where_it_does_not_belong(mark: str, wrong: str):
    canaries = Canaries(mark)
    with (
        tempfile.TemporaryDirectory() as folder,
        every_log() as logs,
        traced() as spans,
        seen_secrets(canaries),
    ):
        walk = Walk(Path(folder), canaries)
        walk_through(walk, wrong)
        assert logs.commands("answered") == set(ALL), "a command that never answered proves nothing"
        gil = walk.newcomer("gil")
        walk.sign_in(gil)
        storm(walk, gil)
        stored = walk.sinks()
        walk.uow.tap = Fails()
        storm(walk, gil)
        spoken = {**walk.spoken(), **_small({"logs": logs.text(), "spans": "\n".join(s.to_json() for s in spans)})}
        everything = {**stored, **spoken}
        walk.engine.dispose()
    documented = {(command, code) for code, commands in ANSWERED.items() for command in commands}
    assert logs.refused() <= documented, "docs/answered.json lacks what a command answers"
    assert len(canaries.secrets) > 100
    assert all(everything.values())
    assert {"file .sqlite3", "file .sqlite3-wal", "messages", "rows of audit"} <= everything.keys()
    assert [(name, one) for name, sink in everything.items() for one in canaries.secrets if found(one, sink)] == []
    assert [(name, one) for name, sink in spoken.items() for one in canaries.private if found(one, sink)] == []
