"""The stores of single sign-on keep their contracts in memory, SQLite, PostgreSQL and MariaDB, and when awaited."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
import pytest

from authflow.testing.contracts.former_subjects import FormerSubjectsContract
from authflow.testing.contracts.links import LinksContract, link
from authflow.testing.contracts.pipelines import EVERYTHING, PipelinesContract
from authflow.testing.contracts.provider_sessions import ONE, ProviderSessionsContract
from authflow.testing.contracts.providers import ProvidersContract, provider
from authflow.testing.contracts.registrar import OwnRegistrarContract
from authflow.testing.contracts.single_use import SingleUseContract
from tests.backends import BACKENDS
from tests.faces import FACES, awaited

if TYPE_CHECKING:
    from tests.faces import Loop


class Everywhere:
    @pytest.fixture(params=BACKENDS)
    def uow(self, request: pytest.FixtureRequest) -> Any:
        return request.getfixturevalue(f"{request.param}_uow")


class TestProviders(Everywhere, ProvidersContract): ...


class TestLinks(Everywhere, LinksContract): ...


class TestFormerSubjects(Everywhere, FormerSubjectsContract): ...


class TestPipelines(Everywhere, PipelinesContract): ...


class TestSingleUse(Everywhere, SingleUseContract): ...


class TestProviderSessions(Everywhere, ProviderSessionsContract): ...


class TestRegistrar(Everywhere, OwnRegistrarContract): ...


def test_what_is_stored_says_something_in_every_field():
    """A field that is added to any of them comes to the store's notice."""
    connected = provider()
    for said in (connected, connected.settings, link(), EVERYTHING, EVERYTHING.handle, ONE):
        assert [f.name for f in attrs.fields(type(said)) if getattr(said, f.name) == f.default] == []


class Awaited:
    @pytest.fixture(params=FACES)
    def uow(self, request: pytest.FixtureRequest, loop: Loop) -> Any:
        self.loop = loop
        return request.getfixturevalue(f"{request.param}_uow")[1]


class TestAwaitedProviders(Awaited, awaited(ProvidersContract)): ...


class TestAwaitedLinks(Awaited, awaited(LinksContract)): ...


class TestAwaitedFormerSubjects(Awaited, awaited(FormerSubjectsContract)): ...


class TestAwaitedPipelines(Awaited, awaited(PipelinesContract)): ...


class TestAwaitedSingleUse(Awaited, awaited(SingleUseContract)): ...


class TestAwaitedProviderSessions(Awaited, awaited(ProviderSessionsContract)): ...


class TestAwaitedRegistrar(Awaited, awaited(OwnRegistrarContract)): ...
