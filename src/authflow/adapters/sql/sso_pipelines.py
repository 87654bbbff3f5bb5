"""Pipelines in SQL."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
import sqlalchemy as sa

from authflow.adapters.sql import columns as c
from authflow.adapters.sql import pipeline_state
from authflow.errors import StaleVersion
from authflow.ports import Stored

if TYPE_CHECKING:
    from datetime import datetime

    from authflow.adapters.sql.connection import Connection
    from authflow.adapters.sql.tables.sso import SsoTables
    from authflow.sso.pipeline import PipelineId
    from authflow.sso.progress import Login
    from authflow.sso.setup import Setup
    from authflow.values import Sealed, SessionId, UserId


@attrs.frozen(kw_only=True)
class PipelineStatements:
    """Every statement about pipelines, built once."""

    add: sa.Executable
    load: sa.Executable
    lock: sa.Executable
    save: sa.Executable
    save_back: sa.Executable
    keep: sa.Executable
    answer: sa.Executable
    remove_of_session: sa.Executable
    remove_begun: sa.Executable
    remove_waiting: sa.Executable
    remove_over: sa.Executable

    @classmethod
    def of(cls, t: SsoTables) -> PipelineStatements:
        row = t.pipeline
        one = row.c.id == sa.bindparam("which")
        load = sa.select(*(column for column in row.c if column.name not in {"sealing_key", "answer"})).where(one)
        changing = ("version", "state", "user_id", "format", "data")
        new: dict[str, Any] = {name: sa.bindparam(f"new_{name}") for name in changing}
        kept: dict[str, Any] = {"sealing_key": sa.bindparam("new_key"), "answer": sa.bindparam("new_answer")}
        forgotten: dict[str, Any] = dict.fromkeys(kept, sa.null())
        save = sa.update(row).where(one, row.c.version == sa.bindparam("expected"))
        waits = [row.c.state.in_(pipeline_state.WAITS), row.c.answer.is_(None)]
        owner = sa.bindparam("owner", type_=sa.String())
        return cls(
            add=sa.insert(row),
            load=load,
            lock=load.with_for_update(),
            save=save.values(new),
            save_back=save.values({**new, **forgotten}),
            keep=sa.update(row).where(one, *waits).values(kept),
            answer=sa.select(row.c.sealing_key, row.c.answer).where(one, row.c.answer.is_not(None)),
            remove_of_session=sa.delete(row).where(row.c.session_id == owner),
            remove_begun=sa.delete(row).where(row.c.started_by == owner),
            remove_waiting=sa.delete(row).where(row.c.user_id == owner),
            remove_over=sa.delete(row).where(row.c.expires_at <= sa.bindparam("now")),
        )


class SqlPipelines:
    """`authflow.sso.ports.PipelineRows` in SQL."""

    def __init__(self, connection: Connection, statements: PipelineStatements) -> None:
        self._run = connection
        self._sql = statements

    def add(self, state: Login | Setup) -> None:
        columns = {**pipeline_state.dump_handle(state.handle), "version": 1, **pipeline_state.dump(state)}
        self._run.run(self._sql.add, columns)

    def load(self, pipeline: PipelineId, *, lock: bool = False) -> Stored[Login | Setup] | None:
        row = self._run.run(self._sql.lock if lock else self._sql.load, {"which": pipeline}).one_or_none()
        state = None if row is None else pipeline_state.load(row)
        return None if row is None or state is None else Stored(state, row.version)

    def save(self, pipeline: PipelineId, state: Login | Setup, *, expected: int) -> None:
        columns = {"version": expected + 1, **pipeline_state.dump(state)}
        new = {f"new_{name}": value for name, value in columns.items()}
        statement = self._sql.save if columns["state"] in pipeline_state.WAITS else self._sql.save_back
        if self._run.changed(statement, {"which": pipeline, "expected": expected, **new}) != 1:
            raise StaleVersion

    def keep_answer(self, pipeline: PipelineId, answer: Sealed) -> bool:
        key, text = c.dump_seal(answer)
        return self._run.changed(self._sql.keep, {"which": pipeline, "new_key": key, "new_answer": text}) == 1

    def answer(self, pipeline: PipelineId) -> Sealed | None:
        row = self._run.run(self._sql.answer, {"which": pipeline}).one_or_none()
        return None if row is None else c.load_seal((row.sealing_key, row.answer))

    def remove_of_session(self, session: SessionId) -> int:
        return self._run.changed(self._sql.remove_of_session, {"owner": session})

    def remove_of_user(self, user: UserId) -> int:
        whose = {"owner": user}
        return self._run.changed(self._sql.remove_begun, whose) + self._run.changed(self._sql.remove_waiting, whose)

    def remove_over(self, now: datetime) -> int:
        return self._run.changed(self._sql.remove_over, {"now": c.micros(now)})
