"""Sharing a host's transaction takes no more than the extra ``sql``: greenlet comes with ``asyncio`` only."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

SHARED = """
import sqlite3, sys
sys.modules["greenlet"] = None  # not installed
import sqlalchemy as sa
from sqlalchemy.orm import Session
from authflow import Authflow, Context, KeyRing
from authflow.adapters.sql import schema
from authflow.adapters.sql.engine import make_engine
from authflow.adapters.sql.tables import build
from authflow.testing import SeededEntropy, add_organization, add_user

kind, url = sys.argv[1:]
engine = make_engine(url)
schema.upgrade(engine, build())
flows = Authflow.open(engine, keys=KeyRing.ephemeral(SeededEntropy()))
acme, ada = add_organization(flows, "acme"), add_user(flows, "ada@example.com")
bare = sqlite3.connect(engine.url.database)
host = {"session": Session(engine), "connection": engine.connect(), "bare": bare}[kind]
with flows.within(host):
    flows.members.add(Context(), organization=acme, user=ada)
host.commit()
with flows.uow.begin() as tx:
    assert len(tx.members.of_user(ada)) == 1
"""


@pytest.mark.parametrize("kind", ["session", "connection", "bare"])
def test_a_host_without_greenlet_shares_its_transaction(kind: str, tmp_path: Path):
    command = [sys.executable, "-c", SHARED, kind, f"sqlite:///{tmp_path / 'app.db'}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
