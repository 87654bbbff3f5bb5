"""What a story of crashes needs: a database that is put back, randomness that can be begun anew, and scenes to kill."""

from __future__ import annotations

import shutil
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import attrs

from authflow import EnrollmentOwed, RequirementsOpen, Secret
from authflow.facts.records import MailKind
from authflow.testing import SeededEntropy
from authflow.testing.browsers import Browser, Phone
from authflow.values import OrganizationId
from tests.rows import filled
from tests.stage import CONTEXT, STEP

if TYPE_CHECKING:
    from collections.abc import Callable

    from authflow import Context
    from authflow.adapters.sql.unit_of_work import SqlUnitOfWork
    from authflow.testing.crashes import Outside
    from tests.stage import Person, Stage

Rows = dict[str, Counter[Any]]
Ask: TypeAlias = "Callable[[Context], Any]"

ACME: Final = OrganizationId("acme")

GAPS: Final = {"number", "sequence"}
"""Columns of a sequence: PostgreSQL gives no number of one back, and gaps are normal."""


@attrs.define
class Draw:
    """Randomness that a test begins anew: whoever draws after the same `begin` draws the same."""

    source: SeededEntropy = attrs.field(factory=SeededEntropy)

    def begin(self, seed: str) -> None:
        self.source = SeededEntropy(seed)

    def random_bytes(self, count: int) -> bytes:
        return self.source.random_bytes(count)


class SqliteDatabase:
    """A file that is copied."""

    def __init__(self, uow: SqlUnitOfWork) -> None:
        self.uow = uow
        self.file = Path(str(uow.engine.url.database))
        self.saved = self.file.with_suffix(".saved")

    def save(self) -> None:
        self.uow.engine.dispose()  # whoever closes the last connection writes the log into the file
        shutil.copy(self.file, self.saved)

    def restore(self) -> None:
        self.uow.engine.dispose()
        for end in ("-wal", "-shm"):
            Path(f"{self.file}{end}").unlink(missing_ok=True)
        shutil.copy(self.saved, self.file)

    def rows(self) -> Rows:
        return rows_of(self.uow)


class PostgresqlDatabase:
    """Rows that are written back. Whoever was killed there holds locks until the server notices: this waits for it.

    All tables take one statement's time: it is done a hundred times for each flow.
    """

    def __init__(self, uow: SqlUnitOfWork) -> None:
        self.uow = uow
        tables, quoted = uow.tables.metadata.sorted_tables, uow.engine.dialect.identifier_preparer.quote
        names = [quoted(table.name) for table in tables]
        self.saving = "; ".join(
            [
                "DROP SCHEMA IF EXISTS saved CASCADE; CREATE SCHEMA saved",
                *(f"CREATE TABLE saved.{name} AS TABLE {name}" for name in names),
            ]
        )
        self.restoring = "; ".join(
            [f"DELETE FROM {name}" for name in reversed(names)]  # noqa: S608  # our own names
            + [f"INSERT INTO {name} TABLE saved.{name}" for name in names]
        )
        columns = {table.name: [quoted(c.name) for c in table.columns if c.name not in GAPS] for table in tables}
        self.reading = " UNION ALL ".join(
            f"SELECT '{name}', ROW({', '.join(columns[name])})::text FROM {quoted(name)}"  # noqa: S608  # as above
            for name in columns
        )

    def save(self) -> None:
        self._run(self.saving)
        self.uow.engine.dispose()

    def restore(self) -> None:
        self._run(self.restoring)
        self.uow.engine.dispose()

    def rows(self) -> Rows:
        found: Rows = {}
        for table, row in self._run(self.reading).fetchall():
            found.setdefault(table, Counter())[row] += 1
        return found

    def _run(self, statements: str) -> Any:
        with closing(self.uow.engine.raw_connection()) as connection:
            cursor = connection.cursor()
            cursor.execute(statements)
            connection.commit()
            return cursor


def rows_of(uow: SqlUnitOfWork) -> Rows:
    """Return every row of every table that has any, as the driver reads it."""
    tables = list(uow.tables.metadata.tables.values())
    quoted = uow.engine.dialect.identifier_preparer.format_table
    found: Rows = {}
    with uow.engine.connect() as connection:
        for place in connection.execute(filled(uow.tables.metadata)).scalars().all():
            rows = connection.exec_driver_sql(f"SELECT * FROM {quoted(tables[place])}").all()  # noqa: S608  # our own names
            found[tables[place].name] = Counter(map(repr, rows))
    return found


def changed(before: Rows, after: Rows) -> dict[str, Any]:
    """Return what is there more, and what less, for the message of an assertion."""
    empty: Counter[Any] = Counter()
    pairs = {name: (before.get(name, empty), after.get(name, empty)) for name in before | after}
    return {name: (dict(b - a), dict(a - b)) for name, (b, a) in pairs.items() if a != b}


def shown(value: Any) -> str:
    """Return everything in an answer, secrets included: that is what must be the same."""
    if isinstance(value, Secret):
        return value.reveal()
    if attrs.has(type(value)):
        fields = ", ".join(f"{f.name}={shown(getattr(value, f.name))}" for f in attrs.fields(type(value)))
        return f"{type(value).__name__}({fields})"
    if isinstance(value, tuple):
        return f"({', '.join(map(shown, value))})"
    return repr(value)


# --- scenes -----------------------------------------------------------------------------------------------------------


def protected(stage: Stage, address: str = "ada@example.com") -> Person:
    person = stage.person(address)
    stage.sign_in(person)
    stage.enroll(person)
    stage.clock.advance(STEP)
    return person


def place(stage: Stage) -> Person:
    return stage.owner(stage.organization(ACME))


def member(stage: Stage) -> tuple[Person, dict[str, Any]]:
    """Return the owner, and what names a member of theirs."""
    olga, bob = place(stage), protected(stage, "bob@example.com")
    joined = stage.flows.members.add(CONTEXT, organization=ACME, user=bob.user)
    return olga, {"organization": ACME, "member": joined.member.id}


def establish(stage: Stage) -> Ask:
    """In a browser that has a row already, where somebody else is signed in."""
    ada, bob, proof = stage.person(), stage.person("bob@example.com"), stage.password()
    stage.sign_in(bob, ada.browser)
    session = ada.browser.session
    return lambda context: stage.flows.sessions.establish(session, context, user=ada.user, proof=proof)


def begin_totp(stage: Stage) -> Ask:
    ada = stage.person()
    stage.sign_in(ada)
    session = ada.browser.session
    return lambda context: stage.flows.mfa.begin_totp(session, context, account="ada")


def complete_totp(stage: Stage) -> Ask:
    """The whole post flow: the factor, its codes, the invitation that waited for them, and every mail."""
    olga = place(stage)
    stage.change(ACME, require_second_factor=True)
    ada, letter = stage.person(), stage.invite(olga, ACME, "ada@example.com")
    assert isinstance(stage.waiting(ada, letter), RequirementsOpen)
    begun = stage.begin(ada)
    session, code = ada.browser.session, Phone(begun.secret).code(stage.clock.now())
    return lambda context: stage.flows.mfa.complete_totp(session, context, begun.flow, code=code)


def rotate_totp(stage: Stage) -> Ask:
    ada = protected(stage)
    begun = stage.begin(ada)
    session, code = ada.browser.session, Phone(begun.secret).code(stage.clock.now())
    return lambda context: stage.flows.mfa.complete_totp(session, context, begun.flow, code=code)


def _verify(stage: Stage, kind: str, which: Callable[[Person], str]) -> Ask:
    ada = protected(stage)
    stage.sign_in(ada)
    session, code = ada.browser.session, which(ada)
    return lambda context: stage.flows.mfa.verify(session, context, kind, code)


def verify_totp(stage: Stage) -> Ask:
    return _verify(stage, "totp", lambda ada: ada.app.code(stage.clock.now()))


def verify_recovery(stage: Stage) -> Ask:
    return _verify(stage, "recovery", lambda ada: ada.codes[0])


def verify_wrongly(stage: Stage) -> Ask:
    """What has to be remembered: every counter of a wrong guess."""
    return _verify(stage, "totp", lambda ada: ada.app.wrong(stage.clock.now()))


def regenerate_codes(stage: Stage) -> Ask:
    session = protected(stage).browser.session
    return lambda context: stage.flows.mfa.regenerate_codes(session, context)


def remove_factor(stage: Stage) -> Ask:
    ada = protected(stage)
    session, factor = ada.browser.session, ada.factor
    assert factor is not None
    return lambda context: stage.flows.mfa.remove(session, context, factor)


def reset(stage: Stage) -> Ask:
    ada, root = protected(stage), stage.administrator()
    session = root.browser.session
    return lambda context: stage.flows.mfa.reset(session, context, user=ada.user, reason="lost")


def redeem(stage: Stage) -> Ask:
    ada, root = protected(stage), stage.administrator()
    root.browser.ask(stage.flows.mfa.reset, CONTEXT, user=ada.user, reason="lost")
    link = Secret(str(stage.mails(MailKind.MFA_RESET)[-1].context["token"]))
    browser = Browser(CONTEXT)
    assert isinstance(stage.sign_in(ada, browser), EnrollmentOwed)
    session = browser.session
    return lambda context: stage.flows.sessions.redeem(session, context, token=link)


def sign_out(stage: Stage) -> Ask:
    session = protected(stage).browser.session
    return lambda context: stage.flows.sessions.sign_out(session, context)


def invite(stage: Stage) -> Ask:
    session = place(stage).browser.session
    return lambda context: stage.flows.invitations.invite(session, context, organization=ACME, email="new@example.com")


def accept(stage: Stage) -> Ask:
    olga = place(stage)
    ada, letter = stage.person(), stage.invite(olga, ACME, "ada@example.com")
    stage.sign_in(ada)
    session = ada.browser.session
    return lambda context: stage.flows.invitations.accept(session, context, **letter.where())


def resume(stage: Stage) -> Ask:
    """A click made before signing in, which the person now says was theirs."""
    olga = place(stage)
    ada, letter = stage.person(), stage.invite(olga, ACME, "ada@example.com")
    stage.accept(ada, letter)
    stage.sign_in(ada)
    session = ada.browser.session
    return lambda context: stage.flows.invitations.resume(session, context, confirmed=True)


def _ending(stage: Stage, call: str) -> Ask:
    olga, where = member(stage)
    session, command = olga.browser.session, getattr(stage.flows.members, call)
    return lambda context: command(session, context, **where)


def remove_member(stage: Stage) -> Ask:
    return _ending(stage, "remove")


def demote(stage: Stage) -> Ask:
    return _ending(stage, "demote")


def confirm_address(stage: Stage) -> Ask:
    """The first address of a person, which somebody else claims too; an invitation waits for it."""
    olga = place(stage)
    stage.change(ACME, require_verified_address=True)
    ada, eve = stage.person(verified=False), stage.person("eve@example.com")
    stage.give_address(eve.user, "ada@example.com", verified=False)
    assert isinstance(stage.waiting(ada, stage.invite(olga, ACME, "ada@example.com")), RequirementsOpen)
    send = stage.flows.accounts.send_confirmations
    send(ada.browser.session, CONTEXT, user=eve.user)
    ada.browser.ask(send, CONTEXT)
    token = Secret(str(stage.mails(MailKind.ADDRESS_CONFIRMATION)[-1].context["token"]))
    session = ada.browser.session
    return lambda context: stage.flows.accounts.confirm_address(session, context, token=token)


def send_confirmations(stage: Stage) -> Ask:
    """Two mails, one of them a warning to somebody else."""
    ada = stage.person(verified=False)
    stage.give_address(ada.user, stage.person("bob@example.com").user, verified=False)
    stage.sign_in(ada)
    session = ada.browser.session
    return lambda context: stage.flows.accounts.send_confirmations(session, context)


def merge(stage: Stage) -> Ask:
    root, ada, bob = stage.administrator(), protected(stage), protected(stage, "bob@example.com")
    session = root.browser.session
    return lambda context: stage.flows.accounts.merge(session, context, source=bob.user, target=ada.user)


def delete(stage: Stage) -> Ask:
    """One's own account: the answer comes to a value that is over."""
    ada = protected(stage)
    session = ada.browser.session
    return lambda context: stage.flows.accounts.delete(session, context, user=ada.user)


FLOWS: Final[dict[str, Callable[[Stage], Ask]]] = {
    scene.__name__: scene
    for scene in (
        *(establish, begin_totp, complete_totp, rotate_totp, verify_totp, verify_recovery, verify_wrongly),
        *(regenerate_codes, remove_factor, reset, redeem, sign_out),
        *(invite, accept, resume, remove_member, demote, merge, delete),
        *(send_confirmations, confirm_address),
    )
}


def acting(stage: Any, ask: Callable[[], Any]) -> Callable[[Outside], str]:
    """Return what a child does: *ask*, with connections and randomness of its own."""

    def act(outside: Outside) -> str:
        stage.uow.tap = outside.tap
        stage.entropy.begin("first")
        return shown(ask())

    return act
