"""Statements made ready: SQLAlchemy Core defines and compiles each of them once, a DB-API cursor runs it.

Executed through SQLAlchemy a statement costs 85 us, on the cursor 5. What compiling costs is paid when a statement is
first run; nothing happens at import.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, cast

import attrs
import sqlalchemy as sa
from sqlalchemy import exc

from authflow.adapters.sql.dialect import unbounded
from authflow.adapters.sql.rows import Reader

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from sqlalchemy.engine.interfaces import Dialect
    from sqlalchemy.sql.compiler import SQLCompiler

Parameters = Mapping[str, Any] | Sequence[Mapping[str, Any]]

Bound = tuple[Any, ...] | dict[str, Any]
"""Parameters as a driver takes them."""

PARAMETERS: Final = 30_000
"""In one statement: SQLite takes 32766, asyncpg 32767, the others more."""

ROWS: Final = 100
"""In one INSERT: the text of each count is compiled and kept, and more rows save nothing."""

KEPT: Final = 1000
"""Statements that are kept, and shapes of each. A host's own repository may build a statement for each call."""

UNNESTED: Final = 10
"""Rows beyond which an INSERT takes an array per column where psycopg runs it: a short text, the same for any count."""

PLAIN: Final = frozenset({sa.String, sa.Text, sa.SmallInteger, sa.Integer, sa.BigInteger, sa.Boolean, sa.LargeBinary})
"""Types whose values psycopg takes as they are, also in arrays."""

BINARY: Final = re.compile(r"\)s::(\w+\[\])")
"""A parameter that is an array, as SQLAlchemy writes it for psycopg, which writes one as text many times slower."""

PROBE: Final = "?"
"""Stands for any value where only the shape of a list counts."""


@attrs.frozen(kw_only=True)
class Plan:
    """One statement as one driver runs it, for one shape of parameters.

    Args:
        text: What the driver is given.
        sources: Where the value of each parameter is found, in the order of the text.
        constants: The values that the statement itself brings.
        processors: What the types of some parameters make of a value, by position.
        names: What the parameters are called, or none where the driver counts them.
        only_reads: It is a plain SELECT: it writes nothing, and holds no row.
        reader: Reads the rows of the answer.
    """

    text: str
    sources: tuple[str, ...]
    constants: Mapping[str, Any]
    processors: tuple[tuple[int, Callable[[Any], Any]], ...]
    names: tuple[str, ...] | None
    only_reads: bool
    reader: Reader

    def bind(self, values: Mapping[str, Any]) -> Bound:
        """Return *values* as the driver takes them."""
        if self.constants:
            values = {**self.constants, **values}
        bound = [values[source] for source in self.sources]
        for place, processor in self.processors:
            bound[place] = processor(bound[place])
        return tuple(bound) if self.names is None else dict(zip(self.names, bound, strict=True))


class Family:
    """One statement in every shape of parameters that it was run with."""

    def __init__(self, statement: sa.Executable, dialect: Dialect) -> None:
        returned: Any = getattr(statement, "exported_columns", {})
        self._columns = [(_named(key), column.type) for key, column in returned.items()]
        # Without RETURNING of its own an INSERT must not be given one for the key that the database makes.
        bare = isinstance(statement, sa.Insert) and not self._columns
        self._statement: Any = cast("sa.Insert", statement).inline() if bare else statement
        self._writes = isinstance(statement, sa.Insert | sa.Update)
        self._dialect = dialect
        self._lists: tuple[str, ...] | None = None
        self._plans: dict[Hashable, Plan] = {}

    def plan(self, parameters: Mapping[str, Any]) -> tuple[Plan, Mapping[str, Any]]:
        """Return the plan for the keys and the lengths of the lists of *parameters*, and its values."""
        keys = tuple(parameters) if self._writes else None
        if self._lists is None:
            self._lists = _lists(self._compiled(self._statement, keys))
        if not self._lists:
            return self._kept(keys, self._statement, keys, {}), parameters
        lengths = {name: len(parameters[name]) for name in self._lists}
        plan = self._kept((keys, *lengths.values()), self._statement, keys, lengths)
        return plan, {**parameters, **_flat(self._lists, parameters)}

    def plan_rows(self, rows: Sequence[Mapping[str, Any]]) -> tuple[Plan, Mapping[str, Any]]:
        """Return the plan of one INSERT for all *rows*, which have the same keys, and its values."""
        keys = tuple(rows[0])
        if {len(row) for row in rows} != {len(keys)}:
            problem = "rows of one INSERT must have the same columns"
            raise exc.ArgumentError(problem)
        if len(rows) > UNNESTED and self._unnests(keys):
            return self._plan_columns({name: [row[name] for row in rows] for name in keys})
        shape = (len(rows), keys)
        known = self._plans.get(shape)
        plan = known or self._kept(shape, self._of_rows(len(rows), keys), None, {})
        return plan, {called: rows[number][name] for called, number, name in _cells(*shape)}

    def _plan_columns(self, columns: Mapping[str, list[Any]]) -> tuple[Plan, Mapping[str, Any]]:
        """Return the plan of one INSERT of *columns*, and its values; what is alike in all rows needs no array."""
        alike = {name: values[0] for name, values in columns.items() if values.count(values[0]) == len(values)}
        arrays = tuple(name for name in columns if name not in alike)
        if not arrays:  # they say how many rows there are
            arrays = tuple(columns)
        shape = (tuple(columns), arrays)
        plan = self._plans.get(shape) or self._kept(shape, self._of_arrays(*shape), None, {})
        return plan, {name: columns[name] if name in arrays else alike[name] for name in columns}

    def _of_rows(self, count: int, keys: tuple[str, ...]) -> sa.Executable:
        column = self._statement.table.c
        values: list[dict[str, sa.BindParameter[Any]]] = [{} for _ in range(count)]
        for called, number, name in _cells(count, keys):
            values[number][name] = sa.bindparam(called, type_=column[name].type)
        return cast("sa.Executable", self._statement.values(values))

    def _unnests(self, keys: Sequence[str]) -> bool:
        column = self._statement.table.c
        return self._dialect.driver == "psycopg" and all(type(column[name].type) in PLAIN for name in keys)

    def _of_arrays(self, keys: Sequence[str], arrays: Sequence[str]) -> sa.Executable:
        kinds = {name: unbounded(self._statement.table.c[name].type) for name in keys}
        values = [
            sa.func.unnest(sa.bindparam(name, type_=sa.ARRAY(kind)))
            if name in arrays
            else sa.cast(sa.bindparam(name, type_=kind), kind)
            for name, kind in kinds.items()
        ]
        return cast("sa.Executable", self._statement.from_select(list(keys), sa.select(*values)))

    def _kept(self, shape: Hashable, statement: Any, keys: Sequence[str] | None, lengths: Mapping[str, int]) -> Plan:
        plan = self._plans.get(shape)
        if plan is None:
            if len(self._plans) >= KEPT:
                self._plans.clear()
            compiled = self._compiled(statement, keys)
            _require_known(keys or (), compiled)
            plan = self._plans[shape] = _plan(compiled, lengths, Reader(self._dialect, self._columns))
        return plan

    def _compiled(self, statement: Any, keys: Sequence[str] | None) -> SQLCompiler:
        names = None if keys is None else list(keys)
        return cast("SQLCompiler", statement.compile(dialect=self._dialect, column_keys=names))


class Prepared:
    """The statements of one installation as one driver runs them.

    Args:
        dialect: The driver's, as SQLAlchemy knows it.
    """

    def __init__(self, dialect: Dialect) -> None:
        self.dialect = dialect
        self.driver: Any = dialect.loaded_dbapi
        self._families: dict[sa.Executable, Family] = {}

    def plans(self, statement: sa.Executable, parameters: Parameters) -> list[tuple[Plan, Mapping[str, Any]]]:
        """Return what to run, and with which values; a sequence of mappings is one INSERT, or a few if it is long."""
        family = self._families.get(statement)
        if family is None:
            if len(self._families) >= KEPT:
                self._families.clear()
            family = self._families[statement] = Family(statement, self.dialect)
        if isinstance(parameters, Mapping):
            return [family.plan(parameters)]
        if not parameters:
            return []
        most = max(1, min(ROWS, PARAMETERS // max(1, len(parameters[0]))))
        return [family.plan_rows(parameters[start : start + most]) for start in range(0, len(parameters), most)]


def _named(key: Any) -> str | None:
    """Return the name under which a repository asks for a column; one that SQLAlchemy made up is nobody's."""
    return str(key) if type(key) is str or getattr(key, "isidentifier", bool)() else None


def _require_known(keys: Sequence[str], compiled: SQLCompiler) -> None:
    """Refuse what no column and no parameter is called: SQLAlchemy's compiler leaves it out, and the value is gone."""
    unknown = [key for key in keys if key not in compiled.binds]
    if unknown:
        problem = f"no parameter {unknown[0]!r}"
        raise exc.ArgumentError(problem)


def _lists(compiled: SQLCompiler) -> tuple[str, ...]:
    return tuple(sorted({bind.key for bind in compiled.binds.values() if bind.expanding and bind.required}))


@lru_cache(maxsize=KEPT)
def _cells(count: int, keys: tuple[str, ...]) -> tuple[tuple[str, int, str], ...]:
    """Return the parameters of *count* rows: what each is called, and which row and column its value is from."""
    return tuple((f"{name}_in_{number}", number, name) for number in range(count) for name in keys)


def _in_list(name: str, number: int) -> str:
    return f"{name}_{number}"  # as SQLAlchemy expands a list


def _flat(names: Sequence[str], parameters: Mapping[str, Any]) -> dict[str, Any]:
    return {_in_list(name, n): value for name in names for n, value in enumerate(parameters[name], 1)}


def _plan(compiled: SQLCompiler, lengths: Mapping[str, int], reader: Reader) -> Plan:
    """Return the plan of *compiled* with lists of such *lengths*."""
    asked = {name for name, bind in compiled.binds.items() if bind.required}
    state = compiled.construct_expanded_state({name: [PROBE] * lengths.get(name, 1) for name in asked})
    named = {escaped: name for name, escaped in compiled.escaped_bind_names.items()}
    listed = {part: _in_list(name, n) for name in lengths for n, part in enumerate(state.parameter_expansion[name], 1)}
    order = list(state.parameters if state.positiontup is None else state.positiontup)
    sources = [listed.get(name) or named.get(name, name) for name in order]
    dialect = compiled.dialect
    kinds = {name: bind.type.dialect_impl(dialect).bind_processor(dialect) for name, bind in compiled.binds.items()}
    found = [state.processors.get(name) or kinds.get(named.get(name, name)) for name in order]
    constants = {named.get(name, name): value for name, value in state.parameters.items()}
    text = BINARY.sub(r")b::\1", state.statement) if dialect.driver == "psycopg" else state.statement
    return Plan(
        text=text,
        sources=tuple(sources),
        constants={
            name: value
            for name, value in constants.items()
            if name in sources and name not in asked and name not in listed
        },
        processors=tuple((place, processor) for place, processor in enumerate(found) if processor is not None),
        names=tuple(order) if state.positiontup is None else None,
        only_reads=text.startswith("SELECT") and " FOR " not in text,
        reader=reader,
    )
