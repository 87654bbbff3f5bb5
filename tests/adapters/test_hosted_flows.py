"""The whole post flow over tables of people and organizations that this project did not define."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from authflow import (
    AccountDeleted,
    AccountExported,
    AddressConfirmed,
    AddressRecorded,
    Authflow,
    ConfigInvalid,
    MailKind,
    OrganizationId,
    Refused,
    SchemaMissing,
    SecondFactorOwed,
    Secret,
)
from authflow.adapters.keys import KeyRing
from authflow.adapters.sql import schema
from authflow.adapters.sql.hosted import AddressColumn, OrganizationTable, RowsOf, UserTable
from authflow.adapters.sql.registrar import SqlRegistrar
from authflow.adapters.sql.unit_of_work import SqlUnitOfWork
from authflow.membership.answers import RequirementsOpen
from authflow.membership.standing import Member
from authflow.ports import Organization, User, UserAddress
from authflow.testing import SeededEntropy
from authflow.testing.browsers import Browser
from authflow.testing.contracts.registrar import RegistrarContract
from authflow.values import Address, Role, UserId
from tests.adapters.hosts import FlaskHost, Host, Person
from tests.stage import CONTEXT, STEP, Stage
from tests.stage import Person as Somebody

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from authflow.sso.ports import Newcomer

OURS = ("user", "user_address", "password_reset", "organization")
"""The tables of ours that a host with its own leaves empty."""


class HostedStage(Stage):
    """The stage, where the host's own registration makes people and organizations."""

    def __init__(self, uow: Any, host: Host) -> None:
        self.host = host
        super().__init__(uow)

    def person(self, address: str = "ada@example.com", *, verified: bool = True, **settings: Any) -> Somebody:
        since = self.clock.now() if verified else None
        own = UserAddress(address=Address(address), primary=True, verified_at=since)
        user = User(id=UserId(self.host.key(address)), label=address, addresses=(own,), **settings)
        with self.uow.begin() as tx:
            self.host.add_user(tx, user)
        return Somebody(user.id)

    def organization(self, slug: str = "acme", **settings: Any) -> OrganizationId:
        key = OrganizationId(self.host.key(slug))
        made = Organization(id=key, slug=slug, name=slug, default_role=Role("member"), regions=("eu",), **settings)
        with self.uow.begin() as tx:
            self.host.add_organization(tx, made)
        return key


@pytest.fixture
def stage(host: Host, hosted_uow: Any) -> HostedStage:
    return HostedStage(hosted_uow, host)


def rows_of_ours(stage: Stage) -> dict[str, int]:
    return {name: len(stage.snapshot().get(name, ())) for name in OURS}


def test_the_whole_post_flow_runs_over_the_hosts_tables(stage: HostedStage):
    """Invited, asked for a second factor, enrolled and joined in one go; signed in again; deleted."""
    acme = stage.organization()
    owner = stage.owner(acme)
    letter = stage.invite(owner, acme, "Ada@example.com", role="member")
    ada = stage.person("ada@example.com")
    stage.sign_in(ada)
    assert not isinstance(stage.accept(ada, letter), Refused)
    stage.enroll(ada)
    assert isinstance(stage.member(ada.user, acme), Member)

    stage.clock.advance(STEP)
    ada.browser = Browser(CONTEXT)
    assert isinstance(stage.sign_in(ada), SecondFactorOwed)
    stage.verify(ada, "totp", ada.app.code(stage.clock.now()))
    assert stage.identify(ada).user == ada.user

    exported = ada.browser.ask(stage.flows.accounts.export, CONTEXT, user=ada.user)
    assert isinstance(exported, AccountExported)
    assert "ada@example.com" in json.dumps(exported.document)
    deleted = ada.browser.ask(stage.flows.accounts.delete, CONTEXT, user=ada.user)
    assert isinstance(deleted, AccountDeleted), deleted
    with stage.uow.begin() as tx:
        assert tx.users.get(ada.user) is None
        assert tx.users.holders(Address("ada@example.com")) == ()
    assert rows_of_ours(stage) == dict.fromkeys(OURS, 0)


def test_the_hosts_settings_decide(hosted_uow: Any, host: Host):
    """An organization that requires a second factor is asked of the host's row."""
    stage = HostedStage(hosted_uow, host)
    acme = stage.organization(require_second_factor=True)
    with stage.uow.begin() as tx:
        required = tx.organizations.get(acme).require_second_factor
    owner = stage.owner(acme)
    letter = stage.invite(owner, acme, "ada@example.com", role="member")
    ada = stage.person("ada@example.com")
    stage.sign_in(ada)
    accepted = stage.accept(ada, letter)
    assert isinstance(accepted, RequirementsOpen) is required
    stage.enroll(ada)
    assert isinstance(stage.member(ada.user, acme), Member)


def test_an_address_that_the_host_verifies_is_stored_where_the_host_keeps_it(stage: HostedStage):
    ada = stage.person("ada@example.com", verified=False)
    assert stage.user(ada.user).primary_verified() is False
    recorded = ada.browser.ask(
        stage.flows.accounts.record_verified_address, CONTEXT, user=ada.user, address="ADA@example.com"
    )
    assert isinstance(recorded, AddressRecorded)
    assert stage.user(ada.user).primary_verified() is True
    with stage.uow.begin() as tx:
        assert tx.users.holders(Address("ada@example.com")) == (ada.user,)


def test_a_mailed_link_confirms_an_address_where_the_host_keeps_it(stage: HostedStage):
    """Whoever else only claimed it holds it no more."""
    ada, eve = claimants(stage)
    stage.sign_in(ada)
    sent = ada.browser.ask(stage.flows.accounts.send_confirmations, CONTEXT)
    assert sent.addresses == ("ada@example.com",)
    token = Secret(str(stage.mails(MailKind.ADDRESS_CONFIRMATION)[-1].context["token"]))
    answer = ada.browser.ask(stage.flows.accounts.confirm_address, CONTEXT, token=token)
    assert isinstance(answer, AddressConfirmed)
    assert stage.user(ada.user).primary_verified() is True
    assert stage.user(eve.user).addresses == ()


def claimants(stage: HostedStage) -> tuple[Somebody, Somebody]:
    """Return two persons who registered with one address."""
    ada = stage.person("ada@example.com", verified=False)
    eve = User(
        id=UserId(stage.host.key("eve")),
        label="eve",
        addresses=(UserAddress(address=Address("ADA@example.com"), primary=True),),
    )
    with stage.uow.begin() as tx:
        stage.host.add_user(tx, eve)
    return ada, Somebody(eve.id)


# --- opening --------------------------------------------------------------------------------------------------------


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[sa.Engine]:
    """Our tables and the Flask host's, in one file."""
    from authflow.adapters.sql.engine import make_engine
    from authflow.adapters.sql.tables import build

    engine = make_engine(f"sqlite:///{tmp_path / 'app.sqlite3'}")
    schema.upgrade(engine, build())
    FlaskHost(engine)
    yield engine
    engine.dispose()


def opened(engine: sa.Engine, **given: Any) -> Authflow:
    return Authflow.open(engine, keys=KeyRing.ephemeral(SeededEntropy()), **given)


def test_a_host_opens_the_flows_over_its_tables(engine: sa.Engine):
    flows = opened(engine, users=FlaskHost.users, organizations=FlaskHost.organizations)
    with flows.uow.begin() as tx:
        tx.connection.run(sa.insert(Person.__table__), {"id": 7, "email": "ada@example.com", "password": ""})
        assert tx.users.get(UserId("7")).label == "ada@example.com"


def test_a_host_brings_repositories_of_its_own(engine: sa.Engine):
    """Made anew for each transaction; what they do not promise to remember is read each time."""

    class Nobody:
        def __init__(self, connection: Any) -> None:
            self.connection = connection

        def get(self, user: UserId) -> User | None:
            return User(id=user, label="everybody")

        def of_user(self, _user: UserId) -> tuple[()]:
            return ()

    flows = opened(engine, users=Nobody, organizations=Nobody)
    with flows.uow.begin() as tx:
        assert tx.users.get(UserId("7")).label == "everybody"
        assert tx.users.connection is tx.connection
        tx.accounts.lock(UserId("7"))
        assert tx.organizations.of_user(UserId("7")) == ()


UNKNOWN = sa.table("nowhere", sa.column("id", sa.Integer), sa.column("email", sa.String))
WORN = sa.table("users", sa.column("id", sa.Integer), sa.column("mail", sa.String))


@pytest.mark.parametrize("table", [UNKNOWN, WORN], ids=["no table", "no column"])
def test_tables_that_are_not_as_they_are_mapped_are_refused_at_once(engine: sa.Engine, table: Any):
    """And never as tables of ours that were missing."""
    text = next(column for column in table.c if column.name != "id")
    users = UserTable(
        id=table.c.id,
        label=text,
        addresses=AddressColumn(address=text, verified=True),
        drop_password_resets=lambda *_: 0,
        remove=RowsOf(table.c.id),
    )
    with pytest.raises(ConfigInvalid) as raised:
        opened(engine, users=users)
    assert raised.value.setting == "users"
    with pytest.raises(ConfigInvalid) as raised:
        opened(engine, organizations=OrganizationTable(id=table.c.id, slug=text))
    assert raised.value.setting == "organizations"


class Reception:
    """How a host makes an account."""

    def __init__(self, connection: Any) -> None:
        self.connection = connection

    def register(self, newcomer: Newcomer) -> UserId:
        since = newcomer.verified_at and newcomer.verified_at.replace(tzinfo=None)
        row = {"email": newcomer.address, "email_confirmed_at": since, "first_name": newcomer.name[:100]}
        made = sa.insert(Person.__table__).returning(Person.__table__.c.id)
        return UserId(str(self.connection.run(made, {**row, "password": "", "is_enabled": True}).scalar_one()))


class TestReception(RegistrarContract):
    @pytest.fixture
    def uow(self, engine: sa.Engine) -> Any:
        return opened(engine, users=FlaskHost.users, registrar=Reception).uow


def test_only_a_host_that_says_how_makes_accounts_in_its_table(engine: sa.Engine):
    """Ours are made in our table, unless the host says otherwise."""
    users = FlaskHost.users
    for given, made in (
        ({}, SqlRegistrar),
        ({"users": users}, type(None)),
        ({"users": users, "registrar": Reception}, Reception),
        ({"registrar": Reception}, Reception),
    ):
        with opened(engine, **given).uow.begin() as tx:
            assert type(tx.registrar) is made


@pytest.mark.parametrize("setting", ["users", "organizations", "registrar"])
def test_what_is_neither_a_mapping_nor_a_function_is_refused(engine: sa.Engine, setting: str):
    with pytest.raises(ConfigInvalid) as raised:
        opened(engine, **{setting: Person.__table__})
    assert raised.value.setting == setting


def test_a_mapping_does_not_replace_our_tables(tmp_path: Path):
    """There is one history: tables of ours that a host does not need stand empty."""
    with pytest.raises(SchemaMissing):
        Authflow.open(
            f"sqlite:///{tmp_path / 'app.sqlite3'}", keys=KeyRing.ephemeral(SeededEntropy()), users=FlaskHost.users
        )


def test_a_unit_of_work_takes_them_too(engine: sa.Engine):
    uow = SqlUnitOfWork(engine, users=FlaskHost.users, organizations=FlaskHost.organizations)
    with uow.begin() as tx:
        assert tx.users.get(UserId("1")) is None
        assert tx.organizations.get(OrganizationId("1")) is None
