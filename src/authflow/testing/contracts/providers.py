"""What every store of organizations' providers must keep."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Final

import attrs
import pytest

from authflow.errors import StaleVersion, UniqueViolated
from authflow.ports import Stored
from authflow.sso.connection import Connected, NoProvider, Settings
from authflow.testing.clocks import START
from authflow.testing.contracts.threads import at_once
from authflow.values import OrganizationId, ProviderId, Role, Sealed

if TYPE_CHECKING:
    from authflow.ports import UnitOfWork
    from authflow.sso.ports import SsoTransaction

ACME: Final = OrganizationId("acme")
GLOBEX: Final = OrganizationId("globex")
CROWDS: Final = (2, 16)
"""How many race for one row."""


def provider(organization: OrganizationId = ACME) -> Connected:
    """Return a provider in which every field says something that a careless store would lose."""
    settings = Settings(
        required=False,
        scim=True,
        newcomers=False,
        confirms=True,
        default_role=Role("manager"),
        config=Sealed(key_id="sealing-1", ciphertext=b"\x00\xff" * 100_000),
        steps=b"\x00\xff" * 16,
    )
    return Connected(
        id=ProviderId(f"{organization}-idp"),
        organization=organization,
        kind="saml2",
        name="Ácme\N{SNOWMAN}\N{PILE OF POO}",
        settings=settings,
        partner=True,
        lifted=True,
        connected_at=START + timedelta(microseconds=1),
    )


class ProvidersContract:
    """Subclass this, override the fixture `uow`, and pytest checks your ``ProviderRows``."""

    @pytest.fixture
    def uow(self) -> UnitOfWork[SsoTransaction]:
        """Return a unit of work on an empty installation."""
        raise NotImplementedError

    def test_what_is_saved_is_loaded(self, uow: UnitOfWork[SsoTransaction]) -> None:
        """Made, changed, taken away and made again; of this organization, and with a lock as without one."""
        made = provider()
        bare = Settings(config=Sealed(key_id="sealing-2", ciphertext=b""), steps=b"\n" * 32)
        plain = attrs.evolve(made, name="", settings=bare, partner=False, lifted=False)
        walk = ((made, 0), (plain, 1), (made, 2), (NoProvider(), 3), (plain, 0))
        for state, expected in walk:
            with uow.begin() as tx:
                tx.providers.save(ACME, state, expected=expected)
            stored = Stored(state, 0 if isinstance(state, NoProvider) else expected + 1)
            with uow.begin() as tx:
                assert [tx.providers.load(ACME, lock=lock) for lock in (True, False)] == [stored, stored]
                assert tx.providers.load(GLOBEX, lock=True) == Stored(NoProvider(), 0)

    def test_an_organization_has_one_provider(self, uow: UnitOfWork[SsoTransaction]) -> None:
        """And a provider one organization. What is refused leaves the first one as it was."""
        made = provider()
        with uow.begin() as tx:
            tx.providers.save(ACME, made, expected=0)
        for rule, other in (
            ("sso_provider.organization", attrs.evolve(provider(), id=ProviderId("another"))),
            ("primary_key", attrs.evolve(provider(GLOBEX), id=made.id)),
        ):
            with uow.begin() as tx:
                with pytest.raises(UniqueViolated) as refusal, uow.savepoint():
                    tx.providers.save(other.organization, other, expected=0)
                assert refusal.value.rule == rule
                assert tx.providers.load(ACME) == Stored(made, 1)
                assert tx.providers.load(GLOBEX) == Stored(NoProvider(), 0)

    def test_what_is_out_of_date_changes_nothing(self, uow: UnitOfWork[SsoTransaction]) -> None:
        """Another version, another provider, none at all; the transaction goes on."""
        made, other = provider(), attrs.evolve(provider(), id=ProviderId("another"))
        with uow.begin() as tx:
            tx.providers.save(ACME, made, expected=0)
            for organization, state, expected in (
                (ACME, made, 2),
                (ACME, other, 1),
                (ACME, NoProvider(), 2),
                (ACME, NoProvider(), 0),
                (GLOBEX, NoProvider(), 1),
                (GLOBEX, provider(GLOBEX), 1),
            ):
                with pytest.raises(StaleVersion):
                    tx.providers.save(organization, state, expected=expected)
            assert tx.providers.load(ACME) == Stored(made, 1)

    def test_providers_of_a_kind_come_in_pages(self, uow: UnitOfWork[SsoTransaction]) -> None:
        """In the order of the organizations' ids, each once, and of no other kind."""
        made = [provider(OrganizationId(f"org-{number}")) for number in range(5)]
        other = attrs.evolve(provider(OrganizationId("org-2a")), kind="oidc")
        with uow.begin() as tx:
            for one in (*reversed(made), other):
                tx.providers.save(one.organization, one, expected=0)
            first = tx.providers.with_kind({"saml2", "google"}, limit=2)
            rest = tx.providers.with_kind({"saml2"}, limit=9, after=first[-1].organization)
            assert (first, rest) == (tuple(made[:2]), tuple(made[2:]))
            assert tx.providers.with_kind((), limit=9) == ()
            everything = tx.providers.with_kind(["oidc", "saml2"], limit=9)
            assert everything == tuple(sorted([*made, other], key=lambda one: one.organization))

    def test_settings_are_found_by_the_key_they_are_sealed_under(self, uow: UnitOfWork[SsoTransaction]) -> None:
        """In pages, in the order of the organizations' ids."""
        names = {"b": "old", "a": "old", "c": "new", "d": "older"}
        with uow.begin() as tx:
            assert tx.providers.sealing_keys() == frozenset()
            for name, key in names.items():
                made = provider(OrganizationId(name))
                settings = attrs.evolve(made.settings, config=Sealed(key_id=key, ciphertext=b"1"))
                tx.providers.save(OrganizationId(name), attrs.evolve(made, settings=settings), expected=0)
        with uow.begin() as tx:
            assert tx.providers.sealing_keys() == {"old", "older", "new"}
            assert tx.providers.sealed_under(["old", "older"], limit=2) == ("a", "b")
            behind = OrganizationId("b")
            assert tx.providers.sealed_under(["old", "older"], limit=2, after=behind) == ("d",)
            assert tx.providers.sealed_under(["none"], limit=2) == ()

    @pytest.mark.parametrize("workers", CROWDS)
    def test_one_of_many_threads_connects_and_one_edits(self, uow: UnitOfWork[SsoTransaction], workers: int) -> None:
        """The others are told that there is one, or that it has changed."""

        def connect(number: int) -> str:
            try:
                with uow.begin() as tx:
                    tx.providers.save(ACME, attrs.evolve(provider(), id=ProviderId(f"idp-{number}")), expected=0)
            except UniqueViolated as refusal:
                return refusal.rule
            return "won"

        assert sorted(at_once(connect, threads=workers)) == [*["sso_provider.organization"] * (workers - 1), "won"]
        with uow.begin() as tx:
            standing = tx.providers.load(ACME).state
        assert isinstance(standing, Connected)

        def edit(number: int) -> bool:
            with suppress(StaleVersion), uow.begin() as tx:
                tx.providers.save(ACME, attrs.evolve(standing, name=f"name {number}"), expected=1)
                return True
            return False

        won = at_once(edit, threads=workers)
        assert sum(won) == 1
        with uow.begin() as tx:
            assert tx.providers.load(ACME) == Stored(attrs.evolve(standing, name=f"name {won.index(True)}"), 2)
