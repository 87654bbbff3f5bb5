"""The host's own tables of people and organizations, mapped by their columns; or repositories of the host's own.

Nothing of the host's is written, except where it says how: see `UserTable`.
"""

from __future__ import annotations

from authflow.adapters.sql.hosted.addresses import AddressColumn, AddressTable
from authflow.adapters.sql.hosted.conversion import UNDATED
from authflow.adapters.sql.hosted.organizations import OrganizationTable
from authflow.adapters.sql.hosted.people import UserTable
from authflow.adapters.sql.hosted.rows import RowsOf

__all__ = ["UNDATED", "AddressColumn", "AddressTable", "OrganizationTable", "RowsOf", "UserTable"]
