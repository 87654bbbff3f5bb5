"""A session's state as a row of the database."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import get_args

import attrs
import pytest
import sqlalchemy as sa

from authflow.adapters.sql import session_state
from authflow.adapters.sql.tables import build
from authflow.errors import SchemaTooNew
from authflow.sessions.states import Session
from authflow.testing.contracts.sessions import ASSERTED, INSTANT, PASSWORD, STATES, signed_in
from authflow.values import UTC


def test_every_state_has_a_tag_of_its_own() -> None:
    """They are stored, so they never change; the union of states and the tags name the same classes."""
    assert sorted(session_state.TAGS.values()) == [
        "anonymous",
        "ended",
        "enrollment_open",
        "enrollment_owed",
        "factor_owed",
        "signed_in",
    ]
    assert set(session_state.TAGS) == set(get_args(Session))
    assert {type(state) for state in STATES} == set(get_args(Session))


def test_a_row_written_before_proofs_had_links_still_loads() -> None:
    """Whoever signed in before the upgrade stays signed in; their sign-on opens no organization with links of ours."""
    without = attrs.evolve(ASSERTED, link=None)
    state = attrs.evolve(signed_in(), proofs=(PASSWORD, without))
    row = SimpleNamespace(**session_state.dump(state))
    instant = int((INSTANT - datetime(1970, 1, 1, tzinfo=UTC)) / timedelta(microseconds=1))
    assert json.loads(row.data)["proofs"] == [["pwd", instant, None, None], ["sso", instant, "acme", "acme-idp"]]
    assert session_state.load(row) == state


def test_a_row_of_a_newer_library_is_not_guessed_at() -> None:
    tables = build()
    engine = sa.create_engine("sqlite://")
    tables.metadata.create_all(engine)
    newer = {**session_state.dump(signed_in()), "version": 1, "format": session_state.FORMAT + 1}
    with engine.begin() as connection:
        connection.execute(sa.insert(tables.sessions.session), newer)
        row = connection.execute(sa.select(tables.sessions.session)).one()
    with pytest.raises(SchemaTooNew):
        session_state.load(row)
    engine.dispose()
