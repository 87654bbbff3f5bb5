"""The tables, one module per slice. `build` gives them all under a prefix and schema of the host's choice."""

from __future__ import annotations

import re
from typing import Final

import attrs
import sqlalchemy as sa

from authflow.adapters.sql import columns as c
from authflow.adapters.sql.tables.accounts import AccountsTables, accounts_tables
from authflow.adapters.sql.tables.events import EventTables, event_tables
from authflow.adapters.sql.tables.membership import MembershipTables, membership_tables
from authflow.adapters.sql.tables.mfa import MfaTables, mfa_tables
from authflow.adapters.sql.tables.outbox_relay import OutboxRelayTables, outbox_relay_tables
from authflow.adapters.sql.tables.replies import ReplyTables, reply_tables
from authflow.adapters.sql.tables.sessions import SessionTables, session_tables
from authflow.adapters.sql.tables.shared import SharedTables, shared_tables
from authflow.adapters.sql.tables.sso import SsoTables, sso_tables
from authflow.errors import ConfigInvalid

PREFIX: Final = "authflow_"

PREFIX_MAX: Final = 20
"""PostgreSQL cuts names after 63 bytes, and our longest one has 43."""

PREFIXES: Final = re.compile(rf"([A-Za-z_][A-Za-z0-9_]{{0,{PREFIX_MAX - 1}}})?")


@attrs.frozen(kw_only=True)
class Tables:
    """Every table of one installation; all of them are public."""

    metadata: sa.MetaData
    prefix: str
    shared: SharedTables
    membership: MembershipTables
    sessions: SessionTables
    mfa: MfaTables
    outbox_relay: OutboxRelayTables
    events: EventTables
    replies: ReplyTables
    accounts: AccountsTables
    sso: SsoTables


def build(*, prefix: str = PREFIX, schema: str | None = None) -> Tables:
    """Return all tables, each name behind *prefix*, inside *schema*.

    Raises:
        ConfigInvalid: The prefix is no beginning of a name, or too long.
    """
    if not PREFIXES.fullmatch(prefix):
        problem = f"must be at most {PREFIX_MAX} ASCII letters, digits and underscores, and begin with no digit"
        raise ConfigInvalid(setting="prefix", problem=problem)
    metadata = sa.MetaData(schema=schema)
    tables = Tables(
        metadata=metadata,
        prefix=prefix,
        shared=shared_tables(metadata, prefix),
        membership=membership_tables(metadata, prefix),
        sessions=session_tables(metadata, prefix),
        mfa=mfa_tables(metadata, prefix),
        outbox_relay=outbox_relay_tables(metadata, prefix),
        events=event_tables(metadata, prefix),
        replies=reply_tables(metadata, prefix),
        accounts=accounts_tables(metadata, prefix),
        sso=sso_tables(metadata, prefix),
    )
    for table in metadata.tables.values():
        table.kwargs.update(c.MARIADB)
    return tables
