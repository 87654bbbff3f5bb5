"""A statement on the driver's own cursor does what it does through SQLAlchemy."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Any

import attrs
import pytest
import sqlalchemy as sa

from authflow.adapters.sql import prepared
from authflow.adapters.sql.connection import Connection
from authflow.adapters.sql.faults import Rules
from authflow.adapters.sql.guard import Guard
from authflow.adapters.sql.prepared import ROWS, UNNESTED, Prepared
from authflow.adapters.sql.tables import build
from authflow.adapters.sql.transaction import Statements
from authflow.errors import DatabaseError, Retryable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from authflow.adapters.sql.rows import Result
    from authflow.adapters.sql.unit_of_work import SqlUnitOfWork


class Colour(enum.Enum):
    RED = 1
    BLUE = 2


METADATA = sa.MetaData()

THING = sa.Table(
    "thing",
    METADATA,
    sa.Column("id", sa.Integer(), primary_key=True, autoincrement=True),
    sa.Column("name", sa.String(40)),
    sa.Column("flag", sa.Boolean()),
    sa.Column("data", sa.LargeBinary(40)),
    sa.Column("colour", sa.Enum(Colour, native_enum=False)),
    sa.Column("e-mail:%address (main)", sa.String(40)),
)

ODD = THING.c["e-mail:%address (main)"]


def row(name: str, *, flag: bool | None = True) -> dict[str, Any]:
    return {"name": name, "flag": flag, "data": name.encode(), "colour": Colour.BLUE, ODD.name: f"{name}@%s:x"}


@pytest.fixture(params=["sqlite_uow", "postgresql_uow", "mariadb_uow"])
def engine(request: pytest.FixtureRequest) -> Iterator[sa.Engine]:
    """An engine with a table of every kind of column."""
    uow: SqlUnitOfWork = request.getfixturevalue(request.param)
    METADATA.create_all(uow.engine)
    yield uow.engine
    METADATA.drop_all(uow.engine)


@pytest.fixture
def connection(engine: sa.Engine) -> Iterator[Connection]:
    lent = engine.raw_connection()
    raw: Any = lent.dbapi_connection
    prepared = Prepared(engine.dialect)
    guard = Guard(driver=prepared.driver, rules=Rules({}, {}))
    yield Connection(raw=raw, cursor=raw.cursor(), prepared=prepared, guard=guard)
    raw.rollback()
    lent.close()


def filled(connection: Connection, *names: str) -> None:
    connection.run(sa.insert(THING), [row(name) for name in names])


ALL = sa.select(THING).order_by(THING.c.id)


def test_what_is_written_is_read_with_its_types(connection: Connection):
    filled(connection, "anne", "ben")
    found = connection.run(ALL).all()
    assert [each.name for each in found] == ["anne", "ben"]
    assert [each.flag for each in found] == [True, True]
    assert all(type(each.flag) is bool for each in found)
    assert [bytes(each.data) for each in found] == [b"anne", b"ben"]
    assert [each.colour for each in found] == [Colour.BLUE, Colour.BLUE]
    assert [each.as_dict()[ODD.name] for each in found] == ["anne@%s:x", "ben@%s:x"]


def test_nothing_is_nothing(connection: Connection):
    connection.run(sa.insert(THING), {**dict.fromkeys(row("")), "name": "void"})
    (found,) = connection.run(ALL)
    assert (found.flag, found.data, found.colour) == (None, None, None)


@pytest.mark.parametrize("count", [0, 1, 2, 3])
def test_a_list_may_have_any_length(connection: Connection, count: int):
    names = ["anne", "ben", "cleo"]
    filled(connection, *names)
    asked = sa.select(THING.c.name).where(
        THING.c.name.in_(sa.bindparam("names", expanding=True)),
        THING.c.name != sa.bindparam("other"),
        THING.c.name.in_(["anne", "ben", "cleo", "dora"]),
    )
    for _ in range(2):
        found = connection.run(asked, {"names": names[:count], "other": "nobody"})
        assert sorted(found.scalars()) == names[:count]


def test_lists_of_many_lengths_do_not_meet(connection: Connection):
    filled(connection, "anne", "ben", "cleo")
    first = THING.c.name.in_(sa.bindparam("first", expanding=True))
    second = THING.c.name.in_(sa.bindparam("second", expanding=True))
    asked = sa.select(THING.c.name).where(first, sa.not_(second))
    names = ["anne", "ben", "cleo"]
    for one in range(4):
        for other in range(4):
            found = connection.run(asked, {"first": names[:one], "second": names[:other]}).scalars()
            assert sorted(found) == names[other:one]


@pytest.mark.parametrize("count", [0, 1, 2, ROWS - 1, ROWS, ROWS + 1, 2 * ROWS + 1])
def test_any_number_of_rows_is_written(connection: Connection, count: int):
    names = [f"name-{number:04}" for number in range(count)]
    connection.run(sa.insert(THING), [row(name, flag=int(name[-1]) % 2 == 0) for name in names])
    found = connection.run(ALL).all()
    assert [(each.name, bytes(each.data), each.flag) for each in found] == [
        (name, name.encode(), int(name[-1]) % 2 == 0) for name in names
    ]


@pytest.mark.parametrize("count", [UNNESTED, UNNESTED + 1, 2 * ROWS])
def test_many_plain_rows_are_written_with_what_they_lack_and_in_their_order(connection: Connection, count: int):
    rows = [{**row(f"name-{number}"), "flag": [True, None][number % 2], "data": None} for number in range(count)]
    for each in rows:
        del each["colour"]
    connection.run(sa.insert(THING), rows)
    found = [each.as_dict() for each in connection.run(ALL)]
    assert [{name: each[name] for name in rows[0]} for each in found] == rows


def test_rows_that_are_alike_in_everything_are_as_many_rows(connection: Connection):
    rows = [{"name": "same", "flag": True, "data": None} for _ in range(UNNESTED + 1)]
    connection.run(sa.insert(THING), rows)
    assert [(each.name, each.flag, each.data) for each in connection.run(ALL)] == [("same", True, None)] * len(rows)


def test_text_that_is_too_long_is_refused_however_many_rows_there_are(connection: Connection):
    if connection.dialect == "sqlite":
        return  # it knows no lengths
    rows = [{"name": "x" * 41} for _ in range(UNNESTED + 1)]
    with pytest.raises(DatabaseError):
        connection.run(sa.insert(THING), rows)


def test_wide_rows_stay_under_the_limit_of_parameters(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(prepared, "PARAMETERS", 100)
    wide = sa.Table("wide", sa.MetaData(), *(sa.Column(f"c{n}", sa.Integer()) for n in range(9)))
    rows = [{f"c{n}": n for n in range(9)}] * 25
    plans = Prepared(sa.create_engine("sqlite://").dialect).plans(sa.insert(wide), rows)
    assert [len(plan.sources) for plan, _ in plans] == [99, 99, 27]


def test_an_update_says_how_many_rows_it_changed(connection: Connection):
    filled(connection, "anne", "ben")
    update = sa.update(THING).values(flag=sa.bindparam("new_flag"))
    assert connection.changed(update, {"new_flag": False}) == 2
    assert connection.changed(sa.delete(THING).where(THING.c.flag.is_(sa.true()))) == 0


def test_what_the_statement_itself_brings_is_bound(connection: Connection):
    connection.run(sa.insert(THING).values(name="here", flag=True, colour=Colour.RED))
    assert [(each.name, each.colour) for each in connection.run(ALL)] == [("here", Colour.RED)]


def test_rows_may_be_returned(connection: Connection):
    insert = sa.insert(THING).returning(THING.c.id, THING.c.name.label("called"))
    found = connection.run(insert, row("anne")).one()
    assert (found.called, found[1]) == ("anne", "anne")
    assert type(found.id) is int


def test_the_same_statement_takes_different_columns(connection: Connection):
    insert = sa.insert(THING)
    connection.run(insert, {"name": "anne"})
    connection.run(insert, {"name": "ben", "flag": True})
    connection.run(insert, {"flag": False, "name": "cleo"})
    assert [(each.name, each.flag) for each in connection.run(ALL)] == [("anne", None), ("ben", True), ("cleo", False)]


def test_text_is_a_statement_too(connection: Connection):
    found = connection.run(sa.text("SELECT :one AS first, '100 %' AS second"), {"one": "1"}).one()
    assert (found.first, found.second) == ("1", "100 %")


def test_columns_may_share_a_name(connection: Connection):
    filled(connection, "anne")
    other = THING.alias("other")
    both = sa.select(THING.c.name, other.c.name.label("other_name"), sa.func.count()).select_from(
        THING.join(other, THING.c.id == other.c.id)
    )
    (found,) = connection.run(both.group_by(THING.c.name, other.c.name))
    assert (found.name, found.other_name, found[2]) == ("anne", "anne", 1)


def test_a_row_names_the_columns_it_has(connection: Connection):
    filled(connection, "anne")
    (found,) = connection.run(ALL)
    with pytest.raises(AttributeError, match="no column 'nome' among id, name"):
        _ = found.nome


def test_one_means_one(connection: Connection):
    with pytest.raises(DatabaseError):
        connection.run(ALL).one()
    assert connection.run(ALL).one_or_none() is None
    assert connection.run(ALL).scalar_one_or_none() is None
    filled(connection, "anne", "ben")
    for asked in ("one", "one_or_none", "scalar_one", "scalar_one_or_none"):
        result: Result = connection.run(ALL)
        with pytest.raises(DatabaseError):
            getattr(result, asked)()


@pytest.mark.parametrize(
    "values",
    [
        {"name": "anne", "nowhere": 1},
        [{"name": "anne", "nowhere": 1}],
        [{"name": "anne"}, {"name": "ben", "flag": True}],
        [{"name": "anne"}, {"flag": True}],
    ],
)
def test_no_value_is_left_out(connection: Connection, values: Any):
    with pytest.raises((DatabaseError, KeyError)):
        connection.run(sa.insert(THING), values)
    assert connection.guard.failed


def test_a_row_that_is_held_has_to_be_found(connection: Connection):
    rename = sa.update(THING).where(THING.c.name == sa.bindparam("which")).values(name=sa.bindparam("called"))
    filled(connection, "anne")
    connection.later(rename, {"which": "anne", "called": "ben"}, one=True)
    connection.later(rename, {"which": "anne", "called": "eve"})  # it is nobody's, and nobody asked
    with pytest.raises(Retryable):
        connection.later(rename, {"which": "anne", "called": "eve"}, one=True)
    assert connection.guard.failed


def test_no_value_of_an_update_is_left_out(connection: Connection):
    update = sa.update(THING).where(THING.c.name == sa.bindparam("which")).values(flag=sa.bindparam("new_flag"))
    with pytest.raises(DatabaseError):
        connection.run(update, {"which": "anne", "new_flag": True, "nwe_flag": False})


def test_a_statement_is_compiled_once_for_each_shape():
    prepared = Prepared(sa.create_engine("sqlite://").dialect)
    asked = sa.select(THING).where(THING.c.name.in_(sa.bindparam("names", expanding=True)))

    def plan(*names: str) -> Any:
        return prepared.plans(asked, {"names": names})[0][0]

    assert plan("a", "b") is plan("c", "d")
    assert plan("a") is not plan("a", "b")


URLS = (
    "sqlite+pysqlite://",
    "sqlite+aiosqlite://",
    "postgresql+psycopg://host/name",
    "postgresql+asyncpg://host/name",
    "mariadb+pymysql://host/name",
)


@pytest.mark.parametrize("url", URLS)
def test_every_statement_of_the_library_can_be_prepared(url: str):
    """On every driver, with lists of none and of two; a parameter that was forgotten would be missing here."""
    dialect = sa.create_engine(url).dialect if "aio" not in url and "asyncpg" not in url else _dialect(url)
    tables = build()
    found = list(statements(Statements.of(tables, dialect.name)))
    assert len(found) > 100
    for statement in found:
        compiled: Any = statement.compile(dialect=dialect)
        asked = {name: bind for name, bind in compiled.binds.items() if bind.required}
        for length in (0, 2):
            values = {name: [b""] * length if bind.expanding else None for name, bind in asked.items()}
            for plan, bound in Prepared(dialect).plans(statement, values):
                assert len(plan.bind(bound)) == len(plan.sources)
                assert "POSTCOMPILE" not in plan.text


def _dialect(url: str) -> Any:
    kind: Any = sa.make_url(url).get_dialect()
    return kind(dbapi=kind.import_dbapi())


def statements(holder: Any) -> Iterator[Any]:
    """Yield every statement inside *holder*, however deep."""
    if isinstance(holder, sa.Executable):
        yield holder
    elif isinstance(holder, dict | tuple):
        for value in holder.values() if isinstance(holder, dict) else holder:
            yield from statements(value)
    elif attrs.has(type(holder)):
        for field in attrs.fields(type(holder)):
            yield from statements(getattr(holder, field.name))
