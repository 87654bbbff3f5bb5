"""Finishing a sign-on while somebody else holds a row of it: nobody waits for ever, nothing is lost (decision 11)."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import pytest
import sqlalchemy as sa

from authflow.adapters.sql.engine import make_engine
from authflow.adapters.sql.unit_of_work import SqlUnitOfWork
from authflow.errors import Code, Retryable
from authflow.journey.sso.answers import SignedOn
from authflow.testing.browsers import Browser
from tests.journey.sso_stage import SsoStage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.journey.sso_stage import Trip

IMPATIENT: Final = {
    "sqlite": "PRAGMA busy_timeout = 1",
    "postgresql": "SET lock_timeout = 1",
    "mariadb": "SET SESSION innodb_lock_wait_timeout = 0",
}
"""The bound of `make_engine`, but shorter than anybody would want to wait in a test."""

HELD: Final = [
    ("sqlite", "sso_link"),  # which row it is makes no difference: whoever writes holds the file
    *(("postgresql", table) for table in ("account", "sso_pipeline", "sso_provider", "sso_link")),
    *(("mariadb", table) for table in ("account", "sso_link")),
]


@contextmanager
def impatient(patient: SqlUnitOfWork) -> Iterator[SsoStage]:
    """Open the same database, where locks are waited for no longer than a moment."""
    engine = make_engine(patient.engine.url.render_as_string(hide_password=False))
    setting = IMPATIENT[engine.dialect.name]
    sa.event.listen(engine, "connect", lambda raw, _: (raw.cursor().execute(setting), raw.commit()))
    yield SsoStage(SqlUnitOfWork(engine, patient.tables))
    engine.dispose()


def on_the_way(stage: SsoStage) -> Trip:
    """Send Ada, who is linked, to her organization's provider."""
    acme, ada = stage.organization(), stage.person()
    stage.connect(acme)
    stage.found(ada, acme)
    stage.link(ada.user, acme, "00u1")
    stage.idp.person("00u1", email="ada@example.com")
    with stage.uow.begin() as tx:
        tx.accounts.lock(ada.user)  # the account has a row from now on
    return stage.start(Browser(), acme)


@pytest.mark.parametrize(("backend", "held"), HELD)
def test_whoever_waits_for_a_row_is_told_in_time_and_comes_in_afterwards(
    request: pytest.FixtureRequest, backend: str, held: str
):
    patient: SqlUnitOfWork = request.getfixturevalue(f"{backend}_uow")
    rows = sa.select(patient.tables.metadata.tables[f"authflow_{held}"]).with_for_update()
    with impatient(patient) as stage:
        trip = on_the_way(stage)
        callback = trip.callback("00u1")
        with stage.writes(), patient.engine.begin() as other, pytest.raises(Retryable) as told:
            assert len(other.execute(rows).all()) == 1
            trip.resume(callback)
        assert told.value.code is Code.DATABASE_BUSY
        assert isinstance(trip.resume(callback), SignedOn)
