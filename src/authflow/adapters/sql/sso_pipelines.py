"""Pipelines in SQL."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import attrs
import sqlalchemy as sa

from authflow.adapters.sql import columns as c
from authflow.adapters.sql.read_once import ReadOnce
from authflow.adapters.sql.sso_visits import KEPT_APART
from authflow.errors import StaleVersion
from authflow.ports import Stored
from authflow.sso.pipeline import Flow, Handle, PipelineId
from authflow.sso.ports import SealedPipeline
from authflow.values import OrganizationId, ProviderId, SessionId, UserId

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from authflow.adapters.sql.connection import Connection
    from authflow.adapters.sql.rows import Row
    from authflow.adapters.sql.sso_visits import SqlSsoVisits
    from authflow.adapters.sql.tables.sso import SsoTables
    from authflow.values import Sealed


@attrs.frozen(kw_only=True)
class PipelineStatements:
    """Every statement about pipelines, built once."""

    add: sa.Executable
    lock: sa.Executable
    save: sa.Executable
    save_back: sa.Executable
    keep: sa.Executable
    answer: sa.Executable
    waits: sa.Executable
    named: sa.Executable
    remove_of_session: sa.Executable
    remove_begun: sa.Executable
    remove_waiting: sa.Executable
    remove_over: sa.Executable

    @classmethod
    def of(cls, t: SsoTables) -> PipelineStatements:
        row = t.pipeline
        one = row.c.id == sa.bindparam("which")
        rows = sa.select(*(column for column in row.c if column.name not in KEPT_APART))
        changing = ("version", "away", "user_id", "named", "sealing_key", "state")
        new: dict[str, Any] = {name: sa.bindparam(f"new_{name}") for name in changing}
        kept: dict[str, Any] = {"answer_key": sa.bindparam("kept_key"), "answer": sa.bindparam("kept_answer")}
        forgotten: dict[str, Any] = dict.fromkeys(kept, sa.null())
        save = sa.update(row).where(one, row.c.version == sa.bindparam("expected"))
        owner = sa.bindparam("owner", type_=sa.String())
        return cls(
            add=sa.insert(row),
            lock=rows.where(one).with_for_update(),
            save=save.values(new),
            save_back=save.values({**new, **forgotten}),
            keep=sa.update(row).where(one, row.c.away, row.c.answer.is_(None)).values(kept),
            answer=sa.select(row.c.answer_key, row.c.answer).where(one, row.c.answer.is_not(None)),
            waits=sa.select(row.c.id)
            .where(
                row.c.session_id == owner,
                row.c.provider_id == sa.bindparam("whose"),
                row.c.away,
                row.c.expires_at > sa.bindparam("now"),
            )
            .limit(1),
            named=rows.where(row.c.provider_id == sa.bindparam("whose"), row.c.named == sa.bindparam("whom")).order_by(
                row.c.id
            ),
            remove_of_session=sa.delete(row).where(row.c.session_id == owner),
            remove_begun=sa.delete(row).where(row.c.started_by == owner),
            remove_waiting=sa.delete(row).where(row.c.user_id == owner),
            remove_over=sa.delete(row).where(row.c.expires_at <= sa.bindparam("now")),
        )


@attrs.frozen
class Saved:
    """A pipeline that was saved, and the version of the row that it is going to replace."""

    after: Stored[SealedPipeline]
    expected: int


class SqlPipelines:
    """`authflow.sso.ports.PipelineRows` in SQL. A row is read once in a transaction, and again for a lock.

    One that is held is written once, by `flush`, as it was saved last: nobody else can have changed it meanwhile.
    """

    def __init__(self, connection: Connection, statements: PipelineStatements, visits: SqlSsoVisits) -> None:
        self._connection = connection
        self._sql = statements
        self._visits = visits
        self._read: ReadOnce[PipelineId, Stored[SealedPipeline] | None] = ReadOnce(connection)
        self._places: dict[PipelineId, OrganizationId] = {}  # which never change
        self._unwritten: dict[PipelineId, Saved] = {}

    def add(self, pipeline: SealedPipeline) -> None:
        self._read.drop(pipeline.handle.id)
        self._connection.run(self._sql.add, {**_handle(pipeline.handle), **_state(pipeline, 1)})

    def load(self, pipeline: PipelineId, *, lock: bool = False) -> Stored[SealedPipeline] | None:
        def read() -> Stored[SealedPipeline] | None:
            row = self._locked(pipeline) if lock and not self._connection.alone else self._visits.pipeline(pipeline)
            if row is None:
                return None
            self._places[pipeline] = OrganizationId(row.organization_id)
            return Stored(_read(row), row.version)

        return self._read.get(pipeline, read, lock=lock)

    def _locked(self, pipeline: PipelineId) -> Row | None:
        """Lock the row, and send for what is asked for next; where all was forgotten, what stands beside it too."""
        locked = self._connection.soon(self._sql.lock, {"which": pipeline})
        forgotten = self._read.drop(pipeline) is None
        self._visits.behind_pipeline(self._places.get(pipeline))
        if forgotten and self._connection.pipeline is not None:
            self._visits.pipeline(pipeline)
        return locked().one_or_none()

    def again(self) -> Callable[[], object] | None:
        """Return what loads the pipeline that was loaded, once it is forgotten; none without one, or if it is held."""
        return next((partial(self.load, pipeline) for pipeline in self._read.passing()), None)

    def forget(self) -> None:
        """Read again what is not held: a lock was waited for."""
        self._read.forget()

    def save(self, pipeline: SealedPipeline, *, expected: int) -> None:
        key = pipeline.handle.id
        held, before = self._read.holds(key), self._read.drop(key)
        if not held:
            if self._connection.changed(*self._saving(Saved(Stored(pipeline, expected + 1), expected))) != 1:
                raise StaleVersion
        elif before is None or before.version != expected:
            raise StaleVersion
        if before is None:
            return
        after = Stored(attrs.evolve(pipeline, handle=before.state.handle), expected + 1)
        self._read.put(key, after)
        if held:
            stands = self._unwritten.get(key)
            self._unwritten[key] = Saved(after, expected if stands is None else stands.expected)

    def flush(self) -> None:
        """Write what was saved of rows that are held: of these nobody has to be told how many there were."""
        unwritten, self._unwritten = self._unwritten, {}
        for saved in unwritten.values():
            self._connection.later(*self._saving(saved))

    def unwritten(self) -> dict[PipelineId, Saved]:
        """Return what waits to be written, to `keep` it."""
        return dict(self._unwritten)

    def keep(self, unwritten: dict[PipelineId, Saved]) -> None:
        """Let *unwritten* wait, and nothing else: a savepoint was undone, before which it had been saved."""
        self._unwritten = unwritten
        for key, saved in unwritten.items():
            self._read.put(key, saved.after)

    def _saving(self, saved: Saved) -> tuple[sa.Executable, dict[str, Any]]:
        after = saved.after.state
        new = {f"new_{name}": value for name, value in _state(after, saved.after.version).items()}
        statement = self._sql.save if after.away else self._sql.save_back
        return statement, {"which": after.handle.id, "expected": saved.expected, **new}

    def keep_answer(self, pipeline: PipelineId, answer: Sealed) -> bool:
        self.flush()
        key, text = c.dump_seal(answer)
        return self._connection.changed(self._sql.keep, {"which": pipeline, "kept_key": key, "kept_answer": text}) == 1

    def answer(self, pipeline: PipelineId) -> Sealed | None:
        self.flush()
        row = self._connection.run(self._sql.answer, {"which": pipeline}).one_or_none()
        return None if row is None else c.load_seal((row.answer_key, row.answer))

    def waits(self, session: SessionId, provider: ProviderId, now: datetime) -> bool:
        asked = {"owner": session, "whose": provider, "now": c.micros(now)}
        return self._connection.run(self._sql.waits, asked).one_or_none() is not None

    def named(self, provider: ProviderId, name: bytes) -> tuple[SealedPipeline, ...]:
        self.flush()
        found = self._connection.run(self._sql.named, {"whose": provider, "whom": name})
        return tuple(_read(row) for row in found)

    def remove_of_session(self, session: SessionId) -> int:
        self.flush()
        self._read.clear()
        return self._connection.changed(self._sql.remove_of_session, {"owner": session})

    def remove_of_user(self, user: UserId) -> int:
        self.flush()
        self._read.clear()
        whose = {"owner": user}
        return self._connection.changed(self._sql.remove_begun, whose) + self._connection.changed(
            self._sql.remove_waiting, whose
        )

    def remove_over(self, now: datetime) -> int:
        self.flush()
        self._read.clear()
        return self._connection.changed(self._sql.remove_over, {"now": c.micros(now)})


def _handle(handle: Handle) -> dict[str, Any]:
    """Return the columns that are written once."""
    return {
        "id": handle.id,
        "digest": handle.digest,
        "session_id": handle.session,
        "flow": handle.flow.value,
        "organization_id": handle.organization,
        "provider_id": handle.provider,
        "kind": handle.kind,
        "steps": handle.steps,
        "started_by": handle.started_by,
        "started_at": c.micros(handle.started_at),
        "expires_at": c.micros(handle.expires_at),
    }


def _state(pipeline: SealedPipeline, version: int) -> dict[str, Any]:
    """Return the columns that change."""
    key, text = c.dump_seal(pipeline.state)
    found_by = {"away": pipeline.away, "user_id": pipeline.user, "named": pipeline.named}
    return {"version": version, **found_by, "sealing_key": key, "state": text}


def _read(row: Any) -> SealedPipeline:
    handle = Handle(
        id=PipelineId(row.id),
        digest=bytes(row.digest),
        session=SessionId(row.session_id),
        flow=Flow(row.flow),
        organization=OrganizationId(row.organization_id),
        provider=ProviderId(row.provider_id),
        kind=row.kind,
        steps=bytes(row.steps),
        started_by=None if row.started_by is None else UserId(row.started_by),
        started_at=c.moment(row.started_at),
        expires_at=c.moment(row.expires_at),
    )
    return SealedPipeline(
        handle=handle,
        state=c.load_seal((row.sealing_key, row.state)),
        away=row.away,
        user=None if row.user_id is None else UserId(row.user_id),
        named=None if row.named is None else bytes(row.named),
    )
