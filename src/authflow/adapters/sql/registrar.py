"""Newcomers among our own people, in SQL."""

from __future__ import annotations

from typing import TYPE_CHECKING

from authflow.adapters.registering import person_of

if TYPE_CHECKING:
    from authflow.adapters.sql.accounts import SqlAccounts
    from authflow.adapters.sql.mfa import SqlFactors
    from authflow.adapters.sql.people import SqlUsers
    from authflow.sso.ports import Newcomer
    from authflow.values import UserId


class SqlRegistrar:
    """`authflow.sso.ports.Registrar` on our own tables of people."""

    def __init__(self, users: SqlUsers, accounts: SqlAccounts, factors: SqlFactors) -> None:
        self._users = users
        self._accounts = accounts
        self._factors = factors

    def register(self, newcomer: Newcomer) -> UserId:
        self._users.add(person_of(newcomer))
        self._accounts.made(newcomer.id)
        self._factors.made(newcomer.id)
        return newcomer.id
