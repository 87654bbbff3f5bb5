"""The stores of second factors keep their contracts in memory, SQLite, PostgreSQL and MariaDB."""

from __future__ import annotations

from typing import Any

import pytest

from authflow.testing.contracts.factors import FactorsContract
from authflow.testing.contracts.mfa import FactorCensusContract, RecoveryCodesContract


class Memory:
    @pytest.fixture
    def uow(self, memory_uow: Any) -> Any:
        return memory_uow


class Sqlite:
    @pytest.fixture
    def uow(self, sqlite_uow: Any) -> Any:
        return sqlite_uow


class Postgresql:
    @pytest.fixture
    def uow(self, postgresql_uow: Any) -> Any:
        return postgresql_uow


class Mariadb:
    @pytest.fixture
    def uow(self, mariadb_uow: Any) -> Any:
        return mariadb_uow


class TestMemoryFactors(Memory, FactorsContract): ...


class TestSqliteFactors(Sqlite, FactorsContract): ...


class TestPostgresqlFactors(Postgresql, FactorsContract): ...


class TestMariadbFactors(Mariadb, FactorsContract): ...


class TestMemoryRecoveryCodes(Memory, RecoveryCodesContract): ...


class TestSqliteRecoveryCodes(Sqlite, RecoveryCodesContract): ...


class TestPostgresqlRecoveryCodes(Postgresql, RecoveryCodesContract): ...


class TestMariadbRecoveryCodes(Mariadb, RecoveryCodesContract): ...


class TestMemoryFactorCensus(Memory, FactorCensusContract): ...


class TestSqliteFactorCensus(Sqlite, FactorCensusContract): ...


class TestPostgresqlFactorCensus(Postgresql, FactorCensusContract): ...


class TestMariadbFactorCensus(Mariadb, FactorCensusContract): ...
