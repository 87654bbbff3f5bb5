"""The table of facts is whole and fits the facts: what a row names is there, and nothing secret is among it."""

from __future__ import annotations

import importlib
import pkgutil
import sys
from typing import TYPE_CHECKING, Any

import attrs
import pytest

from authflow import facts, values
from authflow.facts.records import Audit, AuditEntry, Category, MailKind, Message, Scope, Signal
from authflow.facts.table import NOTHING, RECORDS, SCOPES, About
from authflow.machine import Fact
from authflow.outbox.mails import ENVELOPE

if TYPE_CHECKING:
    from collections.abc import Iterator

for found in pkgutil.iter_modules(facts.__path__, "authflow.facts."):
    importlib.import_module(found.name)


def below(kind: type[Fact]) -> Iterator[type[Fact]]:
    for fact in kind.__subclasses__():
        yield fact
        yield from below(fact)


FACTS = [
    fact
    for fact in below(Fact)
    if fact.__module__.startswith("authflow.")
    and getattr(sys.modules[fact.__module__], fact.__name__) is fact  # attrs leaves the class without slots behind
]

ROWS = [pytest.param(fact, row, id=fact.__name__) for fact, row in RECORDS.items()]

WORDS = {name for name, kind in vars(values).items() if getattr(kind, "__supertype__", None) is str}
SCALARS = {kind + rest for kind in {"str", "int", "bool", *WORDS} for rest in ("", " | None")}

OWNER = {About.PERSON: "user", About.ORGANIZATION: "organization", About.PROJECT: "project"}


def fields(fact: type[Fact]) -> dict[str, str]:
    return {field.name: str(field.type) for field in attrs.fields(fact)}


# --- the table ------------------------------------------------------------------------------------------------------


def test_every_fact_stands_in_the_table():
    assert set(RECORDS) == set(FACTS)
    assert len(FACTS) == len(set(FACTS)) > 40


@pytest.mark.parametrize(("fact", "row"), ROWS)
def test_a_row_names_fields_of_its_fact(fact: type[Fact], row: Any):
    named = [*row.fields, *row.args.values(), *(name for name in (row.target, row.object, row.secret) if name)]
    assert set(named) <= set(fields(fact))
    assert len(row.fields) == len(set(row.fields))


@pytest.mark.parametrize(("fact", "row"), ROWS)
def test_what_is_recorded_is_scalar(fact: type[Fact], row: Any):
    """No secret, no document, no time: those have places of their own."""
    recorded = [*row.fields, *row.args.values(), *(name for name in (row.target, row.object) if name)]
    assert {name: fields(fact)[name] for name in recorded if fields(fact)[name] not in SCALARS} == {}


@pytest.mark.parametrize(("fact", "row"), ROWS)
def test_a_secret_travels_in_a_mail_and_dies_with_it(fact: type[Fact], row: Any):
    """Every secret of a fact is the one that its row seals; such a fact says when it expires."""
    secrets = [name for name, kind in fields(fact).items() if "Secret" in kind]
    assert secrets == ([row.secret] if row.secret else [])
    if row.secret:
        assert row.mail is not None
        assert fields(fact)["expires_at"] == "datetime"


@pytest.mark.parametrize(("fact", "row"), ROWS)
def test_a_fact_names_whom_it_is_about(fact: type[Fact], row: Any):
    if row.about is About.NOBODY:
        assert row == NOTHING
        return
    assert row != attrs.evolve(NOTHING, about=row.about)
    assert not fields(fact)[OWNER[row.about]].endswith("None")


@pytest.mark.parametrize(("fact", "row"), ROWS)
def test_who_hears_of_it_is_who_may(fact: type[Fact], row: Any):
    """Signals are an organization's, announcements belong to whom the fact is about (decision 42)."""
    if row.signal is not None:
        assert row.about is About.ORGANIZATION
    assert bool(row.args) <= (row.signal is not None)
    if row.message is not None:
        scopes = {About.PERSON: Scope.USER, About.PROJECT: Scope.PROJECT, About.ORGANIZATION: Scope.ORGANIZATION}
        assert scopes[row.about] in SCOPES[row.message]
    assert bool(row.object) <= (row.message is not None)
    if row.mail is not None:
        assert row.about in {About.PERSON, About.ORGANIZATION}
        assert fields(fact).get("recipients", "user") in {"tuple[Address, ...]", "user"}
    if row.about is About.ORGANIZATION and row.mail is not None:
        assert "recipients" in fields(fact)


@pytest.mark.parametrize(("fact", "row"), ROWS)
def test_a_mails_fields_leave_its_envelope_alone(fact: type[Fact], row: Any):
    envelope = {*ENVELOPE, "at", "ip", "actor", "target", "organization_name"}
    assert row.mail is None or envelope.isdisjoint(row.fields)


@pytest.mark.parametrize("fact", FACTS, ids=lambda fact: fact.__name__)
def test_a_fact_is_a_frozen_value_that_says_what_it_is(fact: type[Fact]):
    assert fact.__doc__
    assert fact.__doc__.partition("\n")[0].endswith((".", ":")), fact
    assert fact.__setattr__ is not object.__setattr__
    assert all(field.kw_only for field in attrs.fields(fact))


# --- names and numbers that are stored ------------------------------------------------------------------------------


def test_every_category_has_scopes():
    assert set(SCOPES) == set(Category)
    assert all(SCOPES[category] for category in Category)


def test_numbers_in_the_database_are_permanent():
    """A number that changes its meaning reads old rows wrongly. Add; never change or reuse."""
    assert {scope.value: scope.name for scope in Scope} == {0: "ORGANIZATION", 1: "USER", 2: "PROJECT"}
    assert {signal.value: signal.name for signal in Signal} == {
        2: "MEMBER_JOINED",
        3: "SSO_ENABLED",
        4: "MEMBER_INVITED",
        5: "MEMBER_REMOVED",
        6: "SSO_DISABLED",
        7: "IDENTITY_MOVED",
    }
    assert {category.value: category.name for category in Category} == {
        1: "SIGNAL",
        2: "FACTOR_ENROLLED",
        3: "FACTOR_REMOVED",
        4: "RECOVERY_CODES_REGENERATED",
        5: "MAIL",
        6: "SECURITY_EVENT",
        7: "EVENT_STORED",
        8: "EMAIL_VERIFIED",
        9: "USER_SIGNED_UP",
        10: "MEMBER_MAILS",
    }


@pytest.mark.parametrize("kind", [Audit, MailKind, Signal, Category])
def test_no_name_is_without_a_fact(kind: Any):
    """What nothing records is a promise that nobody keeps."""
    said = {*(row.audit for row in RECORDS.values()), *(row.mail for row in RECORDS.values())}
    said |= {*(row.signal for row in RECORDS.values()), *(row.message for row in RECORDS.values())}
    said |= {Category.SIGNAL, Category.MAIL, Category.SECURITY_EVENT}  # `authflow.recording` writes these
    assert [name for name in kind if name not in said] == []


@pytest.mark.parametrize("kind", [Audit, MailKind])
def test_names_fit_their_column(kind: Any):
    assert all(1 <= len(name) <= 64 and name.isascii() and name == name.lower() for name in kind)


def test_what_is_written_is_frozen():
    for kind in (AuditEntry, Message):
        assert kind.__setattr__ is not object.__setattr__
