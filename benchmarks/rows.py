"""What is measured, by whom, and what authflow must reach: the literal table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

LIMIT: Final = "by_hand"
OURS: Final = "authflow"


@dataclass(frozen=True, kw_only=True)
class Program:
    """One library in its environment.

    Args:
        name: Of its module in ``benchmarks.programs`` and of its file in ``requirements``.
        title: What the tables call it.
        databases: On which it runs.
    """

    name: str
    title: str
    databases: tuple[str, ...]


PROGRAMS: Final = (
    Program(name=LIMIT, title="by hand", databases=("none", "sqlite", "postgresql")),
    Program(name=OURS, title="authflow", databases=("none", "sqlite", "postgresql")),
    Program(name="transitions", title="transitions", databases=("none",)),
    Program(name="python_statemachine", title="python-statemachine", databases=("none",)),
    Program(name="pyotp", title="pyotp", databases=("none",)),
    Program(name="django_allauth", title="django-allauth", databases=("none", "sqlite", "postgresql")),
    Program(name="social_core", title="social-core", databases=("none", "sqlite", "postgresql")),
    Program(name="flask_security", title="Flask-Security", databases=("none", "sqlite", "postgresql")),
    Program(name="joserfc", title="joserfc", databases=("none",)),
    Program(name="python3_saml", title="python3-saml", databases=("none",)),
    Program(name="pgqueuer", title="pgqueuer", databases=("postgresql",)),
    Program(name="django_outbox_pattern", title="django-outbox-pattern", databases=("postgresql",)),
)


@dataclass(frozen=True, kw_only=True)
class Budget:
    """What authflow must reach, in seconds for one of the row's units.

    A gate is a ratio inside one run, so *limit* is kept beside: the same thing by hand, where the budgets were set.
    """

    limit: float | None = None
    first: float
    then: float | None = None


@dataclass(frozen=True, kw_only=True)
class Statements:
    """How many statements authflow may need on SQLite, BEGIN and COMMIT counted."""

    first: int
    then: int


@dataclass(frozen=True, kw_only=True)
class Row:
    """One thing that is measured on one database.

    Args:
        name: As the programs know it.
        title: What the tables call it.
        database: ``none``, ``sqlite`` or ``postgresql``.
        unit: How many units one operation of a program holds: messages, for the outbox.
        rate: Shown as units per second.
        compared: Whether authflow is in it; what is not compared explains a peer's rows.
    """

    name: str
    title: str
    database: str = "none"
    unit: int = 1
    rate: bool = False
    compared: bool = True
    budget: Budget | None = None
    statements: Statements | None = None

    @property
    def label(self) -> str:
        """The title, with the database if there is one."""
        return self.title if self.database == "none" else f"{self.title}, {DATABASES[self.database]}"


DATABASES: Final = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}

US: Final = 1e-6
MS: Final = 1e-3

ENROLL: Final = {
    "sqlite": Budget(limit=89 * US, first=1.0 * MS, then=250 * US),
    "postgresql": Budget(limit=839 * US, first=3.0 * MS, then=1.3 * MS),
}
BY_TOTP: Final = {
    "sqlite": Budget(limit=30 * US, first=0.6 * MS, then=100 * US),
    "postgresql": Budget(limit=602 * US, first=1.8 * MS, then=900 * US),
}
BY_RECOVERY: Final = {
    "sqlite": Budget(limit=24 * US, first=0.5 * MS, then=85 * US),
    "postgresql": Budget(limit=456 * US, first=1.4 * MS, then=700 * US),
}
KNOWN: Final = {
    "sqlite": Budget(limit=20 * US, first=0.5 * MS, then=80 * US),
    "postgresql": Budget(limit=296 * US, first=1.1 * MS, then=500 * US),
}
NEWCOMER: Final = {
    "sqlite": Budget(limit=28 * US, first=0.7 * MS, then=100 * US),
    "postgresql": Budget(limit=275 * US, first=2.0 * MS, then=600 * US),
}
ATTACH: Final = {
    "sqlite": Budget(limit=19 * US, first=0.4 * MS, then=75 * US),
    "postgresql": Budget(limit=327 * US, first=0.9 * MS, then=520 * US),
}
FLOWS: Final = (
    ("enroll", "enroll TOTP with ten codes", ENROLL, Statements(first=20, then=14)),
    ("verify_totp", "second factor by TOTP", BY_TOTP, Statements(first=10, then=7)),
    ("verify_recovery", "second factor by recovery code", BY_RECOVERY, Statements(first=9, then=6)),
    ("sso_known", "SSO sign-in, identity known", KNOWN, Statements(first=10, then=6)),
    ("sso_new", "SSO sign-in, new user", NEWCOMER, Statements(first=13, then=8)),
    ("sso_attach", "SSO, identity attached", ATTACH, Statements(first=9, then=6)),
)

PURE: Final = (
    Row(name="transition", title="guarded transition", budget=Budget(limit=1.1 * US, first=2 * US)),
    Row(name="totp_right", title="TOTP check, right", budget=Budget(limit=2.5 * US, first=12 * US)),
    Row(name="totp_wrong", title="TOTP check, wrong", budget=Budget(limit=6.9 * US, first=28 * US)),
    Row(name="codes_made", title="ten recovery codes made", budget=Budget(limit=32 * US, first=45 * US)),
    Row(name="code_checked", title="a recovery code checked", budget=Budget(limit=2.3 * US, first=5 * US)),
    Row(name="id_token_rs256", title="ID token, RS256", budget=Budget(limit=30 * US, first=55 * US, then=36 * US)),
    Row(name="id_token_es256", title="ID token, ES256", budget=Budget(limit=78 * US, first=115 * US, then=88 * US)),
    Row(name="saml_response", title="SAML response", budget=Budget(limit=118 * US, first=3.2 * MS, then=300 * US)),
    Row(name="import", title="import", budget=Budget(limit=30 * MS, first=45 * MS)),
    Row(name="import_facade", title="import, the facade touched"),
)
STORED: Final = tuple(
    Row(
        name=name,
        title=title,
        database=database,
        budget=budgets[database],
        statements=statements if database == "sqlite" else None,
    )
    for name, title, budgets, statements in FLOWS
    for database in DATABASES
)
FIRST_FACTOR: Final = tuple(
    Row(name="establish", title="first factor, second owed", database=database) for database in DATABASES
)
EMPTY: Final = tuple(
    Row(name="empty_request", title="an empty request", database=database, compared=False) for database in DATABASES
)
OUTBOX: Final = (
    Row(
        name="enqueue_1",
        title="outbox, 1 message in",
        database="postgresql",
        rate=True,
        budget=Budget(limit=1 / 3_600, first=1 / 2_500, then=1 / 3_000),
    ),
    Row(
        name="enqueue_100",
        title="outbox, 100 messages in",
        database="postgresql",
        unit=100,
        rate=True,
        budget=Budget(limit=1 / 117_000, first=1 / 60_000, then=1 / 85_000),
    ),
    Row(
        name="drain_1",
        title="outbox, out one by one",
        database="postgresql",
        unit=100,
        rate=True,
        budget=Budget(limit=1 / 3_400, first=1 / 2_000, then=1 / 2_700),
    ),
    Row(
        name="drain_100",
        title="outbox, out by 100",
        database="postgresql",
        unit=1000,
        rate=True,
        budget=Budget(limit=1 / 54_000, first=1 / 30_000, then=1 / 50_000),
    ),
    Row(
        name="drain_100",
        title="outbox, out by 100",
        database="sqlite",
        unit=1000,
        rate=True,
        budget=Budget(limit=1 / 164_000, first=1 / 40_000, then=1 / 90_000),
    ),
)

ROWS: Final = (*PURE, *STORED, *FIRST_FACTOR, *OUTBOX, *EMPTY)
