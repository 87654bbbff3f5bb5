"""Column types and conversions: what is stored needs no processing by a driver.

Instants are integer microseconds since the epoch, documents are JSON text, digests are bytes, and identifiers are
text that compares as bytes (decision 10).
"""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import mysql

from authflow.values import ADDRESS_MAX, IDENTIFIER_MAX, Sealed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND: Final = timedelta(microseconds=1)

BYTEWISE: Final = "utf8mb4_nopad_bin"
"""MariaDB's collation that compares text as its bytes, trailing blanks included, also in keys and unique indexes.

Its default matches ``alice``, ``ALICE``, ``álice`` and ``alice ``. VARBINARY would compare alike, but give bytes back
that every reader has to decode, and count its length in bytes.
"""

MARIADB: Final = {"mariadb_engine": "InnoDB", "mariadb_charset": "utf8mb4", "mariadb_collate": BYTEWISE}
"""What every table of ours says on MariaDB, where neither transactions nor bytes can be taken for granted."""


def micros(moment: datetime) -> int:
    """Return *moment* as microseconds since the epoch, exactly."""
    return (moment - EPOCH) // MICROSECOND


def moment(stored: int) -> datetime:
    """Return the instant that `micros` stored."""
    return EPOCH + stored * MICROSECOND


def micros_or_none(at: datetime | None) -> int | None:
    """Return *at* as `micros`, none as none."""
    return None if at is None else micros(at)


def moment_or_none(stored: int | None) -> datetime | None:
    """Return the instant that `micros_or_none` stored."""
    return None if stored is None else moment(stored)


_COMPACT: Final = json.JSONEncoder(separators=(",", ":"))


def dump(document: Mapping[str, Any]) -> str:
    """Return *document* as compact JSON text in ASCII, which stores NUL and lone surrogates on every database."""
    return _COMPACT.encode(dict(document))


def dump_seal(sealed: Sealed) -> list[str]:
    """Return *sealed* as its key's name and its ciphertext in base64."""
    return [sealed.key_id, base64.b64encode(sealed.ciphertext).decode()]


def load_seal(stored: Sequence[str]) -> Sealed:
    """Return what `dump_seal` stored. One that is damaged beyond reading comes back empty, and opens under no key."""
    try:
        ciphertext = base64.b64decode(stored[1], validate=True)
    except ValueError:
        ciphertext = b""
    return Sealed(key_id=stored[0], ciphertext=ciphertext)


def identifier(name: str, *, nullable: bool = False, primary_key: bool = False) -> sa.Column[str]:
    """Return a column for an opaque identifier."""
    return sa.Column(name, sa.String(IDENTIFIER_MAX), nullable=nullable, primary_key=primary_key)


def address(name: str, *, nullable: bool = False, primary_key: bool = False) -> sa.Column[str]:
    """Return a column for an e-mail address."""
    return sa.Column(name, sa.String(ADDRESS_MAX), nullable=nullable, primary_key=primary_key)


def word(name: str, *, nullable: bool = False, primary_key: bool = False) -> sa.Column[str]:
    """Return a column for a short word of ours: a tag, a kind, a status, a role."""
    return sa.Column(name, sa.String(64), nullable=nullable, primary_key=primary_key)


def text(name: str, *, nullable: bool = False, primary_key: bool = False) -> sa.Column[str]:
    """Return a column for text of any length, JSON included; MariaDB's TEXT ends after 64 KiB."""
    kind = sa.Text().with_variant(mysql.LONGTEXT(), "mariadb")
    return sa.Column(name, kind, nullable=nullable, primary_key=primary_key)


def instant(name: str, *, nullable: bool = False, primary_key: bool = False) -> sa.Column[int]:
    """Return a column for an instant in microseconds."""
    return sa.Column(name, sa.BigInteger(), nullable=nullable, primary_key=primary_key)


def digest(name: str, *, nullable: bool = False, primary_key: bool = False) -> sa.Column[bytes]:
    """Return a column for a digest of 32 bytes; MariaDB takes no BLOB for a key."""
    kind = sa.LargeBinary(32).with_variant(sa.VARBINARY(32), "mariadb")
    return sa.Column(name, kind, nullable=nullable, primary_key=primary_key)


def number(name: str, *, nullable: bool = False, primary_key: bool = False) -> sa.Column[int]:
    """Return a column for a version or a count."""
    return sa.Column(name, sa.Integer(), nullable=nullable, primary_key=primary_key)


def flag(name: str, *, nullable: bool = False, primary_key: bool = False) -> sa.Column[bool]:
    """Return a column for a truth value."""
    return sa.Column(name, sa.Boolean(), nullable=nullable, primary_key=primary_key)


def sequence(name: str) -> sa.Column[int]:
    """Return a primary key that the database numbers; SQLite numbers only an INTEGER one."""
    kind = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    return sa.Column(name, kind, primary_key=True, autoincrement=True)


def unique(prefix: str, rule: str, *columns: str) -> sa.UniqueConstraint:
    """Return a uniqueness rule of the domain; a violation is raised as ``UniqueViolated(rule=rule)``."""
    return sa.UniqueConstraint(*columns, name=f"{prefix}uq_{rule.replace('.', '_')}", info={"rule": rule})
