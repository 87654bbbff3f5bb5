"""Our tables' own history, apart from the host's: `authflow.adapters.sql.schema` runs it."""

from __future__ import annotations

from typing import Final

REVISIONS: Final = ("0001", "0002", "0003", "0004", "0005")
"""Every revision, oldest first: what the start-up check compares with, without loading Alembic."""
