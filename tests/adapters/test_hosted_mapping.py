"""What a mapping of the host's tables accepts, converts and refuses."""

from __future__ import annotations

import sqlite3
import uuid
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import attrs
import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.dialects.mysql import TINYINT

from authflow.adapters.sql.columns import EPOCH
from authflow.adapters.sql.engine import make_engine
from authflow.adapters.sql.hosted import UNDATED, AddressColumn, AddressTable, OrganizationTable, RowsOf, UserTable
from authflow.adapters.sql.hosted.conversion import Ids, Instants
from authflow.adapters.sql.hosted.statements import HostedUserStatements
from authflow.adapters.sql.tables import build
from authflow.adapters.sql.unit_of_work import SqlUnitOfWork
from authflow.errors import ConfigInvalid
from authflow.testing.clocks import START
from authflow.values import IDENTIFIER_MAX, Address, OrganizationId, UserId, fold_address
from tests.adapters.hosts import FlaskHost, PasswordReset, Person

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

METADATA = sa.MetaData()

USER = sa.Table(
    "host_user",
    METADATA,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("email", sa.String(254)),
    sa.Column("confirmed", sa.Boolean),
    sa.Column("confirmed_at", sa.DateTime),
    sa.Column("confirmed_epoch", sa.BigInteger),
    sa.Column("role", sa.String(20)),
    sa.Column("enabled", sa.Integer),
    mariadb_charset="utf8mb4",
)

ADDRESS = sa.Table(
    "host_address",
    METADATA,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("user_id", sa.Integer),
    sa.Column("email", sa.String(254)),
    sa.Column("confirmed", sa.Boolean),
    mariadb_charset="utf8mb4",
)

ORGANIZATION = sa.Table(
    "host_organization",
    METADATA,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("flag", sa.Boolean),
    sa.Column("text", sa.String(64)),
    sa.Column("regions", sa.JSON),
)


def mapped(**changes: Any) -> UserTable:
    fields: dict[str, Any] = {
        "id": USER.c.id,
        "label": USER.c.email,
        "addresses": AddressColumn(address=USER.c.email, verified=USER.c.confirmed),
        "drop_password_resets": lambda *_: 0,
        "remove": RowsOf(USER.c.id),
    }
    return UserTable(**{**fields, **changes})


SEVERAL = mapped(
    addresses=AddressTable(user=ADDRESS.c.user_id, address=ADDRESS.c.email, verified=ADDRESS.c.confirmed, primary=False)
)


@pytest.fixture(params=["sqlite", "postgresql", "mariadb"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[sa.Engine]:
    if request.param == "sqlite":
        engine = make_engine(f"sqlite:///{tmp_path / 'app.sqlite3'}")
        build().metadata.create_all(engine)
    else:
        engine = request.getfixturevalue(f"{request.param}_uow").engine
    METADATA.create_all(engine)
    yield engine
    METADATA.drop_all(engine)
    if request.param == "sqlite":
        engine.dispose()


@contextmanager
def people(engine: sa.Engine, table: UserTable, *rows: dict[str, Any]) -> Iterator[Any]:
    """Give the people of *table* in a transaction of which nothing stays."""
    with SqlUnitOfWork(engine, users=table).begin() as tx:
        for row in rows:
            tx.connection.run(sa.insert(USER), row)
        yield tx.users
        tx.connection.run(sa.delete(USER))


# --- addresses ------------------------------------------------------------------------------------------------------

LETTERS = "aAbBiIkK\u212ass\u00dfeE\u00e9\u00c9\u0130\u0131\u03c3\u03c2\u03a3\uff21@."
"""Letters that some database or language takes for one another: Kelvin, sharp s, accents, Turkish i, sigmas."""

addresses = st.lists(st.text(LETTERS, min_size=1, max_size=4), min_size=1, max_size=6)


def test_holders_are_those_whose_verified_address_folds_equally(engine: sa.Engine):
    """Whatever the database takes for equal: nobody too many, nobody missing."""
    uow = SqlUnitOfWork(engine, users=SEVERAL)

    @given(addresses, st.data())
    def law(texts: list[str], data: st.DataObject) -> None:
        asked = data.draw(st.one_of(st.sampled_from(texts).map(str.swapcase), st.text(LETTERS, max_size=4)))
        held = [(number, text, data.draw(st.booleans())) for number, text in enumerate(texts, 1)]
        with uow.begin() as tx:
            for table in (ADDRESS, USER):
                tx.connection.run(sa.delete(table))
            tx.connection.run(sa.insert(USER), [{"id": number, "email": ""} for number, *_ in held])
            rows = [{"id": n, "user_id": n, "email": text, "confirmed": proven} for n, text, proven in held]
            tx.connection.run(sa.insert(ADDRESS), rows)
            wanted = {str(n) for n, text, proven in held if proven and fold_address(text) == fold_address(asked)}
            assert tx.users.holders(Address(asked)) == tuple(sorted(wanted))

    law()


@pytest.mark.parametrize("lookup", [lambda text: sa.func.lower(sa.collate(text, "C")), lambda text: text])
def test_the_lookup_is_the_hosts(postgresql_uow: Any, lookup: Any):
    """Such as one that folds ASCII only on PostgreSQL in Turkish, or none where small letters are stored."""
    METADATA.create_all(postgresql_uow.engine)
    table = mapped(addresses=AddressColumn(address=USER.c.email, verified=True, lookup=lookup))
    with people(postgresql_uow.engine, table, {"id": 1, "email": "i@example.org"}) as users:
        assert users.holders(Address("I@EXAMPLE.org")) == ("1",)
        assert users.holders(Address("\u0131@example.org")) == ()
    METADATA.drop_all(postgresql_uow.engine)


def test_the_lookup_uses_the_hosts_index(tmp_path: Path):
    """The statement compares what an index on ``lower(email)`` holds with one constant."""
    engine = make_engine(f"sqlite:///{tmp_path / 'app.sqlite3'}")
    METADATA.create_all(engine)
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE INDEX host_ix_lower ON host_user (lower(email))")
        holders: Any = HostedUserStatements.of(mapped()).holders
        plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {holders.compile(engine)}", ("a",)).all()
    assert "USING INDEX host_ix_lower" in str(plan)
    engine.dispose()


def test_a_text_that_no_database_holds_is_nobodys(engine: sa.Engine):
    with people(engine, mapped(), {"id": 1, "email": "", "confirmed": True}, {"id": 2, "confirmed": True}) as users:
        for nobodys in ("", "\0", "a\0", "\ud800"):
            assert users.holders(Address(nobodys)) == ()
            assert users.record_verified(UserId("1"), Address(nobodys), START) is False
        assert [users.get(UserId(key)).addresses for key in ("1", "2")] == [(), ()]


def test_an_address_that_was_changed_meanwhile_is_not_verified(engine: sa.Engine):
    """What was read must still stand there: the new address is proven by nothing."""
    row = {"id": 1, "email": "old@example.org", "confirmed": False}
    with SqlUnitOfWork(engine, users=mapped()).begin() as tx:
        tx.connection.run(sa.insert(USER), row)
        assert tx.users.get(UserId("1")) is not None
        tx.connection.run(sa.update(USER).values(email="new@example.org"))
        assert tx.users.record_verified(UserId("1"), Address("old@example.org"), START) is False
        assert tx.connection.run(sa.select(USER.c.confirmed)).scalar_one() is False
        tx.connection.run(sa.delete(USER))


def test_an_address_that_only_looks_alike_is_not_verified_with_it(engine: sa.Engine):
    """MariaDB takes both for one text; the row's own key tells them apart."""
    with SqlUnitOfWork(engine, users=SEVERAL).begin() as tx:
        tx.connection.run(sa.insert(USER), {"id": 1, "email": ""})
        for key, text in enumerate(("\u00e9ve@example.org", "eve@example.org"), 1):
            tx.connection.run(sa.insert(ADDRESS), {"id": key, "user_id": 1, "email": text, "confirmed": False})
        assert tx.users.record_verified(UserId("1"), Address("EVE@example.org"), START) is True
        assert tx.users.get(UserId("1")).verified_addresses() == ("eve@example.org",)


def test_the_host_itself_stores_a_verification(engine: sa.Engine):
    """With its own id and the address as it wrote it."""
    told: list[Any] = []

    def store(connection: Any, user: int, address: str, at: datetime) -> bool:
        told.append((user, address, at))
        return bool(connection.changed(sa.update(USER).where(USER.c.id == user).values(role="proven")))

    column = AddressColumn(address=USER.c.email, verified=USER.c.role == "proven")
    table = mapped(addresses=column, record_verified=store)
    with people(engine, table, {"id": 1, "email": "Ada@example.org"}) as users:
        assert users.record_verified(UserId("1"), Address("ada@example.org"), START) is True
        assert users.holders(Address("ada@example.org")) == ("1",)
    assert told == [(1, "Ada@example.org", START)]


def test_an_address_in_a_column_is_lost_by_being_empty(engine: sa.Engine):
    """Only of whoever did not verify it, and only the address that was meant."""
    rows = [
        {"id": 1, "email": "Ada@example.org", "confirmed": True},
        {"id": 2, "email": "ada@EXAMPLE.org", "confirmed": False},
        {"id": 3, "email": "ada@example.org"},
        {"id": 4, "email": "\u0251da@example.org", "confirmed": False},
    ]
    with people(engine, mapped(), *rows) as users:
        assert users.drop_unverified(Address("ADA@example.org"), keep=UserId("3")) == ("2",)
        assert [len(users.get(UserId(key)).addresses) for key in ("1", "2", "3", "4")] == [1, 0, 1, 1]


@pytest.mark.parametrize("stored", [None, 0])
def test_an_instant_of_never_is_no_verification(engine: sa.Engine, stored: int | None):
    """Unix time in a column that is not null says zero."""
    table = mapped(addresses=AddressColumn(address=USER.c.email, verified=epoch, unit=timedelta(seconds=1)))
    rows = [{"id": key, "email": "ada@example.org", "confirmed_epoch": at} for key, at in ((1, stored), (2, 7))]
    with people(engine, table, *rows) as users:
        assert users.drop_unverified(Address("ada@example.org"), keep=UserId("3")) == ("1",)
        assert [len(users.get(UserId(key)).addresses) for key in ("1", "2")] == [0, 1]


def test_a_row_of_the_address_that_only_looks_alike_stays(engine: sa.Engine):
    """MariaDB takes both for one text; the row's own key tells them apart."""
    with SqlUnitOfWork(engine, users=SEVERAL).begin() as tx:
        tx.connection.run(sa.insert(USER), {"id": 1, "email": ""})
        for key, text in enumerate(("\u00e9ve@example.org", "eve@example.org"), 1):
            tx.connection.run(sa.insert(ADDRESS), {"id": key, "user_id": 1, "email": text, "confirmed": False})
        assert tx.users.drop_unverified(Address("EVE@example.org"), keep=UserId("2")) == ("1",)
        assert [held.address for held in tx.users.get(UserId("1")).addresses] == ["\u00e9ve@example.org"]


def test_the_host_itself_takes_an_address_away(engine: sa.Engine):
    """With its own id and the address as it wrote it."""
    told: list[Any] = []
    table = mapped(drop_address=lambda _connection, user, address: told.append((user, address)))
    with people(engine, table, {"id": 1, "email": "Ada@example.org", "confirmed": False}) as users:
        assert users.drop_unverified(Address("ada@example.org"), keep=UserId("2")) == ("1",)
    assert told == [(1, "Ada@example.org")]


def test_where_no_other_than_verified_addresses_are_stored_nobody_loses_one(engine: sa.Engine):
    table = mapped(addresses=AddressColumn(address=sa.func.lower(USER.c.email), verified=True))
    with people(engine, table, {"id": 1, "email": "ada@example.org"}) as users:
        assert users.drop_unverified(Address("ada@example.org"), keep=UserId("2")) == ()


def test_an_instant_that_the_hosts_connection_has_read_is_taken_as_it_is(tmp_path: Path):
    """Django's connections to SQLite do: they are opened so that a column's type names its converter."""
    engine = make_engine(f"sqlite:///{tmp_path / 'app.sqlite3'}")
    build().metadata.create_all(engine)
    METADATA.create_all(engine)
    table = mapped(addresses=AddressColumn(address=USER.c.email, verified=USER.c.confirmed_at))
    sqlite3.register_converter("datetime", lambda text: datetime.fromisoformat(text.decode()))
    host = sqlite3.connect(tmp_path / "app.sqlite3", detect_types=sqlite3.PARSE_DECLTYPES, isolation_level=None)
    uow = SqlUnitOfWork(engine, users=table)
    with closing(host), uow.within(host):
        host.execute("BEGIN")
        host.execute("INSERT INTO host_user (id, email) VALUES (1, 'ada@example.org')")
        with uow.begin() as tx:
            assert tx.users.record_verified(UserId("1"), Address("ada@example.org"), START) is True
            assert tx.users.get(UserId("1")).addresses[0].verified_at == START
        host.execute("COMMIT")
    engine.dispose()


class Dated(sa.TypeDecorator[datetime]):
    """A host's own: an instant that is kept in the time of its office."""

    impl = sa.DateTime
    cache_ok = True

    def process_bind_param(self, value: Any, _dialect: Any) -> Any:
        return value.astimezone(OFFICE).replace(tzinfo=None)

    def process_result_value(self, value: Any, _dialect: Any) -> Any:
        return value.replace(tzinfo=OFFICE)


OFFICE = timezone(timedelta(hours=5))
DATED = sa.Table(
    "host_dated",
    METADATA,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("email", sa.String(254)),
    sa.Column("at", Dated),
)


def test_a_type_of_the_hosts_own_reads_every_value(engine: sa.Engine):
    """Also what a driver has made an instant of already, as those of servers do."""
    t = DATED.c
    table = mapped(id=t.id, label=t.email, addresses=AddressColumn(address=t.email, verified=t.at), remove=RowsOf(t.id))
    with SqlUnitOfWork(engine, users=table).begin() as tx:
        tx.connection.run(sa.insert(DATED), {"id": 1, "email": "ada@example.org", "at": START})
        assert tx.users.get(UserId("1")).addresses[0].verified_at == START
        tx.connection.run(sa.delete(DATED))


def test_where_every_stored_address_is_verified_there_is_nothing_to_store(engine: sa.Engine):
    table = mapped(addresses=AddressColumn(address=USER.c.email, verified=True))
    with people(engine, table, {"id": 1, "email": "ada@example.org"}) as users:
        assert users.get(UserId("1")).addresses[0].verified_at == UNDATED
        assert users.record_verified(UserId("1"), Address("ada@example.org"), START) is True
        assert users.record_verified(UserId("1"), Address("eve@example.org"), START) is False


# --- ids ------------------------------------------------------------------------------------------------------------

NO_NUMBER = ["", "-0", "01", "+1", "1 ", " 1", "1_0", "1.0", "\u0661", "\uff11", "1\n", "1e3", "0x1", "a", "9" * 30]
BEYOND = [str(2**31), str(2**63 - 1), str(-(2**63)), str(2**63), str(-(2**63) - 1)]


def test_what_is_no_number_of_the_hosts_finds_nobody(engine: sa.Engine):
    """And is never an error of the driver's, whatever the width of the column."""
    uow = SqlUnitOfWork(engine, users=mapped(), organizations=OrganizationTable(id=ORGANIZATION.c.id))
    with uow.begin() as tx:
        tx.connection.run(sa.insert(USER), {"id": 1, "email": ""})
        for text in (*NO_NUMBER, *BEYOND):
            assert tx.users.get(UserId(text)) is None
            assert tx.users.remove(UserId(text)) is False
            assert tx.users.drop_password_resets(UserId(text)) == 0
            assert tx.organizations.get(OrganizationId(text)) is None


@given(st.integers(-(2**63), 2**63 - 1))
def test_each_number_has_one_text(number: int):
    ids = Ids.of(USER.c.id, None, setting="id")
    assert ids.text(None) is None
    assert ids.text(number) == str(number)
    assert ids.parse(str(number)) == number


@given(st.uuids())
def test_each_uuid_has_one_text(key: uuid.UUID):
    for kind, stored in ((sa.Uuid(), key), (sa.Uuid(as_uuid=False), str(key))):
        ids = Ids.of(sa.column("id", kind), None, setting="id")
        assert (ids.text(stored), ids.parse(str(key))) == (str(key), stored)
        others = (str(key).upper(), key.hex, f"{{{key}}}", key.urn)
        assert [ids.parse(other) for other in others if other != str(key)] == [None] * 4 or str(key).isdecimal()


@given(st.text(max_size=IDENTIFIER_MAX + 5))
def test_text_is_its_own_text(text: str):
    ids = Ids.of(sa.column("id", sa.String()), None, setting="id")
    assert ids.parse(text) in {None, text}
    assert ids.text(text) == ids.parse(text)


def test_ids_compare_as_bytes_where_the_hosts_column_does_not(tmp_path: Path):
    """Neither as a person nor as an organization is anybody found under another's id."""
    key = sa.Column("id", sa.String(64, collation="NOCASE"), primary_key=True)
    table = sa.Table("folding", sa.MetaData(), key)
    engine = make_engine(f"sqlite:///{tmp_path / 'app.sqlite3'}")
    build().metadata.create_all(engine)
    table.create(engine)
    users = mapped(
        id=table.c.id, label="", addresses=AddressColumn(address=table.c.id, verified=True), remove=RowsOf(table.c.id)
    )
    uow = SqlUnitOfWork(engine, users=users, organizations=OrganizationTable(id=table.c.id))
    with uow.begin() as tx:
        tx.connection.run(sa.insert(table), {"id": "anne"})
        assert tx.users.get(UserId("Anne")) is tx.organizations.get(OrganizationId("Anne")) is None
        assert tx.users.remove(UserId("Anne")) is False
        assert tx.users.get(UserId("anne")).id == tx.organizations.get(OrganizationId("anne")).id == "anne"
    engine.dispose()


class Wrapped(sa.TypeDecorator[uuid.UUID]):
    """What a host without a database type of its own writes."""

    impl = sa.String(32)
    cache_ok = True

    def process_bind_param(self, value: Any, _dialect: Any) -> Any:
        return value and value.hex

    def process_result_value(self, value: Any, _dialect: Any) -> Any:
        return value and uuid.UUID(value)


def test_a_type_of_the_hosts_own_is_named(tmp_path: Path):
    key = uuid.UUID(int=7)
    table = sa.Table("wrapped", sa.MetaData(), sa.Column("id", Wrapped, primary_key=True), sa.Column("name", sa.String))
    with pytest.raises(ConfigInvalid) as raised:
        OrganizationTable(id=table.c.id)
    assert raised.value.setting == "organizations.id_type"
    engine = make_engine(f"sqlite:///{tmp_path / 'app.sqlite3'}")
    table.create(engine)
    uow = SqlUnitOfWork(engine, organizations=OrganizationTable(id=table.c.id, id_type=uuid.UUID, name=table.c.name))
    with uow.begin() as tx:
        tx.connection.run(sa.insert(table), {"id": key, "name": "Acme"})
        assert tx.organizations.get(OrganizationId(str(key))).name == "Acme"
        assert tx.organizations.get(OrganizationId(key.hex)) is None
    engine.dispose()


# --- instants and flags ---------------------------------------------------------------------------------------------

moments = st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001  # bounds


@given(moments, st.sampled_from([timedelta(seconds=1), timedelta(milliseconds=1), timedelta(microseconds=1)]))
def test_an_instant_comes_back_as_far_as_the_host_keeps_it(at: datetime, unit: timedelta):
    numbers = Instants(sa.column("at", sa.BigInteger()), unit, "verified")
    assert numbers.read(0) is None  # "never", where a column must not be null
    back = numbers.read(numbers.stored(at))
    assert (back is None) == (timedelta(0) <= at - EPOCH < unit), "only the first unit of all is lost"
    assert back is None or timedelta(0) <= at - back < unit
    for kind in (sa.DateTime(), sa.DateTime(timezone=True)):
        instants = Instants(sa.column("at", kind), None, "verified")
        stored: Any = instants.stored(at)
        assert (stored.tzinfo is not None, instants.read(stored)) == (kind.timezone, at)
        assert instants.read(at.astimezone(timezone(timedelta(hours=5)))) == at


@pytest.mark.parametrize("kind", [sa.Boolean(), TINYINT()])
def test_a_flag_has_no_date(kind: Any):
    flag = Instants(sa.column("confirmed", kind), None, "verified")
    assert [flag.read(stored) for stored in (1, True, 0, False, None)] == [UNDATED, UNDATED, None, None, None]
    assert flag.stored(START) is True


def test_a_null_flag_is_no(engine: sa.Engine):
    with people(engine, mapped(active=USER.c.enabled, administrator=USER.c.enabled), {"id": 1}) as users:
        assert attrs.astuple(users.get(UserId("1"))) == ("1", "", "", False, False, ())


def test_a_null_of_an_organization_is_what_nobody_set(engine: sa.Engine):
    """A flag that is null is false, but for the one whose false is the opt-out."""
    flag, text = ORGANIZATION.c.flag, ORGANIZATION.c.text
    flags = ("active", "require_second_factor", "require_verified_address", "can_invite", "join_requests")
    table = OrganizationTable(
        id=ORGANIZATION.c.id,
        slug=text,
        name=text,
        default_role=text,
        security_project=text,
        regions=ORGANIZATION.c.regions,
        **dict.fromkeys((*flags, "member_limit_restricted", "invites_bound_to_address"), flag),
    )
    with SqlUnitOfWork(engine, organizations=table).begin() as tx:
        tx.connection.run(sa.insert(ORGANIZATION), {"id": 1, "regions": sa.null()})
        found = tx.organizations.get(OrganizationId("1"))
        tx.connection.run(sa.delete(ORGANIZATION))
    assert [getattr(found, name) for name in flags] == [False] * 5
    assert (found.invites_bound_to_address, found.member_limit_restricted) == (True, False)
    assert (found.slug, found.name, found.default_role, found.regions) == ("1", "1", "member", ())
    assert found.security_project is None


# --- what makes no sense --------------------------------------------------------------------------------------------

column = AddressColumn(address=USER.c.email, verified=USER.c.confirmed)
epoch = USER.c.confirmed_epoch


@pytest.mark.parametrize(
    ("setting", "changes"),
    [
        ("users.id", {"id": "id"}),
        ("users.id_type", {"id": USER.c.confirmed_at}),
        ("users.id_type", {"id_type": float}),
        ("users.label", {"label": None}),
        ("users.name", {"name": 7}),
        ("users.active", {"active": USER.c.role}),
        ("users.administrator", {"administrator": "no"}),
        ("users.addresses", {"addresses": USER.c.email}),
        ("users.drop_password_resets", {"drop_password_resets": None}),
        ("users.remove", {"remove": None}),
        ("users.remove", {"remove": USER.c.id}),
        ("users.record_verified", {"addresses": attrs.evolve(column, verified=False)}),
        ("users.drop_address", {"addresses": attrs.evolve(column, address=sa.func.trim(USER.c.email))}),
        ("users.record_verified", {"addresses": attrs.evolve(column, verified=USER.c.role == "proven")}),
        ("users.record_verified", {"addresses": attrs.evolve(column, verified=ADDRESS.c.confirmed)}),
    ],
)
def test_a_mapping_that_makes_no_sense_names_its_setting(setting: str, changes: dict[str, Any]):
    """When it is built, never when somebody signs in."""
    with pytest.raises(ConfigInvalid) as raised:
        mapped(**changes)
    assert raised.value.setting == setting


@pytest.mark.parametrize(
    ("setting", "changes"),
    [
        ("addresses.address", {"address": "email"}),
        ("addresses.verified", {"verified": USER.c.email}),
        ("addresses.verified", {"verified": None}),
        ("addresses.verified", {"verified": epoch}),
        ("addresses.verified", {"verified": epoch, "unit": timedelta(0)}),
        ("addresses.lookup", {"lookup": "lower"}),
        ("addresses.user", {"user": 7}),
        ("addresses.primary", {"primary": USER.c.email}),
    ],
)
def test_addresses_that_make_no_sense_name_their_setting(setting: str, changes: dict[str, Any]):
    kind = AddressTable if setting in {"addresses.user", "addresses.primary"} else AddressColumn
    fields: dict[str, Any] = {"address": USER.c.email, "verified": USER.c.confirmed}
    several = {"user": ADDRESS.c.user_id, "primary": True} if kind is AddressTable else {}
    with pytest.raises(ConfigInvalid) as raised:
        kind(**{**fields, **several, **changes})
    assert raised.value.setting == setting


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("id", None),
        ("slug", "acme"),
        ("name", 7),
        ("active", ORGANIZATION.c.text),
        ("can_invite", None),
        ("default_role", None),
        ("security_project", 7),
        ("regions", "eu"),
        ("id_type", dict),
    ],
)
def test_an_organization_that_makes_no_sense_names_its_setting(setting: str, value: Any):
    with pytest.raises(ConfigInvalid) as raised:
        OrganizationTable(**{"id": ORGANIZATION.c.id, setting: value})
    assert raised.value.setting == f"organizations.{setting}"


@pytest.mark.parametrize("columns", [(), ("id",), (sa.func.lower(USER.c.email),), (USER.c.id == 1,)])
def test_rows_are_named_by_columns_of_tables(columns: tuple[Any, ...]):
    with pytest.raises(ConfigInvalid):
        RowsOf(*columns)


def test_attributes_of_a_mapped_class_are_their_columns():
    assert FlaskHost.users.id is Person.__table__.c.id
    assert FlaskHost.users.active is Person.__table__.c.is_enabled
    assert RowsOf(PasswordReset.user_id).columns == (PasswordReset.__table__.c.user_id,)
