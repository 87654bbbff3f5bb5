"""What every store of sessions by their names at providers must keep."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import attrs
import pytest

from authflow.sso.provider_session import ProviderSession, name_digest
from authflow.testing.contracts.links import ALIKE
from authflow.testing.samples.links import ACME_IDP, ADA, EVE, HOSTILE_IDP, NOW, TICK
from authflow.values import LinkId, Sealed, SessionId

if TYPE_CHECKING:
    from authflow.ports import UnitOfWork
    from authflow.sso.ports import SsoTransaction

HERE: Final = SessionId("session-1")
ONE: Final = ProviderSession(
    session=HERE,
    provider=ACME_IDP,
    link=LinkId("link-1"),
    user=ADA,
    name=name_digest("ada"),
    index=name_digest("_1"),
    memory=Sealed(key_id="sealing-1", ciphertext=b"\x00\xff"),
    expires_at=NOW + TICK,
)


def other(**changes: Any) -> ProviderSession:  # noqa: ANN401  # each field has its own type
    """Return another row, with *changes*."""
    return attrs.evolve(ONE, **changes)


class ProviderSessionsContract:
    """Subclass this, override the fixture `uow`, and pytest checks your ``ProviderSessionRows``."""

    @pytest.fixture
    def uow(self) -> UnitOfWork[SsoTransaction]:
        """Return a unit of work on an empty installation."""
        raise NotImplementedError

    def test_a_session_has_one_name_at_each_provider(self, uow: UnitOfWork[SsoTransaction]) -> None:
        """The newest, with everything that belongs to it; those at other providers stay."""
        newer = other(
            link=LinkId("link-2"),
            user=EVE,
            name=name_digest("eve"),
            index=name_digest(""),
            memory=Sealed(key_id="sealing-2", ciphertext=b"another"),
            expires_at=NOW,
        )
        elsewhere = other(provider=HOSTILE_IDP)
        with uow.begin() as tx:
            for row in (ONE, elsewhere, newer):
                tx.provider_sessions.put(row)
        with uow.begin() as tx:
            rows = tx.provider_sessions
            assert rows.of_session(HERE) == tuple(sorted((newer, elsewhere), key=lambda row: row.provider))
            assert rows.named(ACME_IDP, ONE.name) == ()
            assert rows.named(ACME_IDP, newer.name) == (newer,)
            assert rows.of_session(SessionId("session-9")) == ()
            assert [rows.remove(HERE, ACME_IDP) for _ in range(2)] == [True, False]
            assert rows.of_session(HERE) == (elsewhere,)

    def test_names_are_told_apart_by_every_byte(self, uow: UnitOfWork[SsoTransaction]) -> None:
        """And every session of one name is found, at this provider alone."""
        made = [other(session=SessionId(f"s-{n}"), name=name_digest(name)) for n, name in enumerate(ALIKE)]
        second = attrs.evolve(made[0], session=SessionId("s-zz"))
        with uow.begin() as tx:
            for row in (*made, second, other(name=made[0].name, provider=HOSTILE_IDP)):
                tx.provider_sessions.put(row)
        with uow.begin() as tx:
            found = [tx.provider_sessions.named(ACME_IDP, row.name) for row in made]
            assert found == [(made[0], second), *((row,) for row in made[1:])]

    def test_rows_go_with_their_person_and_with_their_time(self, uow: UnitOfWork[SsoTransaction]) -> None:
        """Not before."""
        with uow.begin() as tx:
            tx.provider_sessions.put(ONE)
            tx.provider_sessions.put(other(session=SessionId("session-2"), user=EVE))
        with uow.begin() as tx:
            assert [tx.provider_sessions.remove_over(at) for at in (NOW, NOW + TICK)] == [0, 2]
            tx.provider_sessions.put(ONE)
            assert [tx.provider_sessions.remove_of_user(user) for user in (EVE, ADA, ADA)] == [0, 1, 0]

    def test_memories_are_found_by_the_key_they_are_sealed_under(self, uow: UnitOfWork[SsoTransaction]) -> None:
        """In pages, by session and provider; whoever signed in again, or out, meanwhile keeps what is theirs."""
        places = sorted((ACME_IDP, HOSTILE_IDP))
        keys = [("s-1", 0, "old"), ("s-1", 1, "older"), ("s-2", 0, "new"), ("s-3", 1, "old"), ("s-4", 0, "old")]
        made = [
            other(session=SessionId(name), provider=places[n], memory=Sealed(key_id=key, ciphertext=b"\x00\xff"))
            for name, n, key in keys
        ]
        with uow.begin() as tx:
            assert tx.provider_sessions.sealing_keys() == frozenset()
            for row in reversed(made):
                tx.provider_sessions.put(row)
        with uow.begin() as tx:
            rows = tx.provider_sessions
            assert rows.sealing_keys() == {"old", "older", "new"}
            assert rows.sealed_under(["old", "older"], limit=1) == (made[0],)
            after = made[0].session, made[0].provider
            assert rows.sealed_under(["old", "older"], limit=2, after=after) == (made[1], made[3])
            assert rows.sealed_under(["none"], limit=2) == ()
            anew = Sealed(key_id="new", ciphertext=b"anew")
            newer = attrs.evolve(made[1], memory=Sealed(key_id="older", ciphertext=b"newer"))
            rows.put(newer)
            rows.remove(made[3].session, made[3].provider)
            assert [rows.reseal(row, anew) for row in (made[0], made[1], made[3])] == [True, False, False]
            assert rows.of_session(SessionId("s-1")) == (attrs.evolve(made[0], memory=anew), newer)
            assert rows.of_session(SessionId("s-3")) == ()
