"""What every store of links must keep."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import attrs
import pytest

from authflow.errors import StaleVersion, UniqueViolated
from authflow.sso.identity import SUBJECT_BYTES, Subject, read_subject
from authflow.sso.links import Link
from authflow.testing.clocks import START
from authflow.testing.contracts.providers import CROWDS
from authflow.testing.contracts.threads import at_once
from authflow.values import LinkId, OrganizationId, ProviderId, Sealed, UserId

if TYPE_CHECKING:
    from collections.abc import Callable

    from authflow.ports import UnitOfWork
    from authflow.sso.ports import SsoTransaction

TICK: Final = timedelta(microseconds=1)
HOUR: Final = timedelta(hours=1)
ACME: Final = OrganizationId("acme")
IDP: Final = ProviderId("acme-idp")
OTHER_IDP: Final = ProviderId("globex-idp")

ALIKE: Final = tuple(
    Subject(text)
    for text in (
        "alice",
        "ALICE",
        "\u00e1lice",
        "a\u0301lice",  # the same letter in two parts
        "alice ",
        " alice",
        "alice\t",
        "\uff41lice",  # full width
        "alice\u200d",  # ends in nothing that is seen
        "\u00df",
        "ss",
        "\u0131",  # i without a dot
        "i",
        "1",
        "01",
        "\x7f" * SUBJECT_BYTES,
        "\x7f" * (SUBJECT_BYTES - 1),
        "\N{PILE OF POO}" * (SUBJECT_BYTES // 4) + "abc",
    )
)
"""Subjects that some collation takes for one another, or that somebody cuts to the same length (decision 10)."""


def link(number: int = 1) -> Link:
    """Return a link in which every field says something that a careless store would lose."""
    return Link(
        id=LinkId(f"link-{number}"),
        organization=ACME,
        provider=IDP,
        subject=Subject(f"subject-{number}"),
        user=UserId(f"user-{number}"),
        linked_at=START - TICK,
        verified_at=START + TICK,
        synced_at=START + HOUR + TICK,
        failures=3,
        memory=Sealed(key_id="sealing-1", ciphertext=b"\x00\xff" * 100_000),
    )


class LinksContract:
    """Subclass this, override the fixture `uow`, and pytest checks your ``LinkRows``."""

    @pytest.fixture
    def uow(self) -> UnitOfWork[SsoTransaction]:
        """Return a unit of work on an empty installation."""
        raise NotImplementedError

    def test_what_is_added_is_found(self, uow: UnitOfWork[SsoTransaction]) -> None:
        """By its id, its subject and its person, with and without a lock; at no other provider."""
        full, bare = link(), attrs.evolve(link(2), failures=0, memory=None)
        with uow.begin() as tx:
            tx.links.add(full)
            tx.links.add(bare)
            assert tx.links.get(full.id) == full
        with uow.begin() as tx:
            for one in (full, bare):
                assert tx.links.get(one.id) == one
                for lock in (False, True):
                    assert tx.links.by_subject(IDP, one.subject, lock=lock) == one
                    assert tx.links.of_user(IDP, one.user, lock=lock) == one
                    assert tx.links.by_subject(OTHER_IDP, one.subject, lock=lock) is None
                    assert tx.links.of_user(OTHER_IDP, one.user, lock=lock) is None
            assert tx.links.get(LinkId("link-3")) is None

    def test_expecting_changes_no_answer(self, uow: UnitOfWork[SsoTransaction]) -> None:
        """Of somebody linked and of nobody, with and without a lock, and of what is written after it was expected."""
        one, other = link(), link(2)
        with uow.begin() as tx:
            tx.links.add(one)
        for lock in (False, True):
            with uow.begin() as tx:
                tx.links.expect(IDP, one.subject, user=one.user, lock=lock)
                tx.links.expect(IDP, other.subject, user=other.user, lock=lock)
                assert tx.links.by_subject(IDP, one.subject, lock=lock) == one
                assert tx.links.of_user(IDP, one.user, lock=lock) == one
                assert tx.links.by_subject(IDP, other.subject) is tx.links.of_user(IDP, other.user) is None
        with uow.begin() as tx:
            tx.links.expect(IDP, one.subject, user=one.user)
            tx.links.expect(IDP, other.subject, user=other.user)
            tx.links.remove(one.id)
            tx.links.add(other)
            assert tx.links.by_subject(IDP, one.subject) is tx.links.of_user(IDP, one.user) is None
            assert tx.links.by_subject(IDP, other.subject) == tx.links.of_user(IDP, other.user) == other

    def test_subjects_compare_as_bytes(self, uow: UnitOfWork[SsoTransaction]) -> None:
        """Each of them is somebody else; nothing is folded, trimmed or cut."""
        assert all(read_subject(subject) == subject for subject in ALIKE)
        added: dict[Subject, Link] = {}
        for number, subject in enumerate(ALIKE):
            with uow.begin() as tx:
                assert tx.links.by_subject(IDP, subject) is None
                added[subject] = attrs.evolve(link(number), subject=subject)
                tx.links.add(added[subject])
        with uow.begin() as tx:
            assert {subject: tx.links.by_subject(IDP, subject) for subject in ALIKE} == added

    def test_a_subject_and_a_person_are_linked_once_at_a_provider(self, uow: UnitOfWork[SsoTransaction]) -> None:
        """What is refused leaves the first link; at another provider both are free."""
        first = link()
        with uow.begin() as tx:
            tx.links.add(first)
            tx.links.add(attrs.evolve(link(2), provider=OTHER_IDP, subject=first.subject, user=first.user))
        for rule, other in (
            ("sso_link.subject", attrs.evolve(link(3), subject=first.subject)),
            ("sso_link.user", attrs.evolve(link(3), user=first.user)),
            ("primary_key", attrs.evolve(link(3), id=first.id)),
        ):
            with uow.begin() as tx:
                _violates(uow, rule, lambda: tx.links.add(other))  # noqa: B023  # called at once
                assert tx.links.by_subject(IDP, first.subject) == first
                assert tx.links.of_user(IDP, UserId("user-3")) is None

    def test_a_link_is_saved_over_the_one_that_was_read(self, uow: UnitOfWork[SsoTransaction]) -> None:
        """Not over one that is gone or has another subject, and never for another person or provider."""
        before, taken = link(), link(2)
        after = attrs.evolve(
            before, subject=Subject("Subject-1"), verified_at=START, synced_at=START, failures=0, memory=None
        )
        with uow.begin() as tx:
            tx.links.add(before)
            tx.links.add(taken)
            for changed in ({"user": UserId("user-3")}, {"provider": OTHER_IDP}):
                with pytest.raises(StaleVersion):
                    tx.links.save(before, attrs.evolve(after, **changed))
            tx.links.save(before, after)
            assert (tx.links.get(before.id), tx.links.by_subject(IDP, before.subject)) == (after, None)
            for gone in (before, link(3)):
                with pytest.raises(StaleVersion):
                    tx.links.save(gone, gone)
            _violates(
                uow,
                "sso_link.subject",
                lambda: tx.links.save(after, attrs.evolve(after, subject=taken.subject)),
            )
            assert (tx.links.get(before.id), tx.links.get(taken.id)) == (after, taken)

    def test_links_are_removed(self, uow: UnitOfWork[SsoTransaction]) -> None:
        """One, a person's, a provider's; each removal returns what it removed, in order, and leaves the others."""
        globex = OrganizationId("globex")
        mine = link(1), attrs.evolve(link(2), organization=globex, provider=OTHER_IDP, user=UserId("user-1"))
        fourth, fifth = (attrs.evolve(link(number), organization=globex) for number in (4, 5))
        others = link(3), attrs.evolve(fourth, provider=OTHER_IDP), fifth
        with uow.begin() as tx:
            for one in (*reversed(mine), *reversed(others)):
                tx.links.add(one)
            assert tx.links.linked(IDP, [UserId(f"user-{number}") for number in (1, 3, 4)]) == {"user-1", "user-3"}
            assert tx.links.linked(IDP, ()) == frozenset()
            assert tx.links.all_of_user(UserId("user-1")) == mine
            assert [tx.links.remove_of_user(UserId("user-1")) for _ in range(2)] == [mine, ()]
            assert [tx.links.remove(others[0].id) for _ in range(2)] == [True, False]
            assert [tx.links.remove_of_provider(OTHER_IDP) for _ in range(2)] == [(others[1],), ()]
            assert tx.links.all_of_user(UserId("user-5")) == (others[2],)

    def test_memories_are_found_by_the_key_they_are_sealed_under(self, uow: UnitOfWork[SsoTransaction]) -> None:
        """In pages, in the order of the links' ids; a link without a memory is under none."""
        keys = {1: "old", 2: "new", 3: "old", 4: "older", 5: None}
        made = {
            n: attrs.evolve(link(n), memory=None if key is None else Sealed(key_id=key, ciphertext=b"1"))
            for n, key in keys.items()
        }
        with uow.begin() as tx:
            assert tx.links.sealing_keys() == frozenset()
            for one in made.values():
                tx.links.add(one)
        with uow.begin() as tx:
            assert tx.links.sealing_keys() == {"old", "older", "new"}
            assert tx.links.sealed_under(["old", "older"], limit=2) == (made[1], made[3])
            assert tx.links.sealed_under(["old", "older"], limit=2, after=made[3].id) == (made[4],)
            assert tx.links.sealed_under(["none"], limit=2) == ()

    def test_what_links_remember_at_one_provider_is_forgotten(self, uow: UnitOfWork[SsoTransaction]) -> None:
        """And nothing else of them, nor anybody else's; a row that was read before in this transaction is read anew."""
        sealed = Sealed(key_id="key", ciphertext=b"1")
        knows, other = (attrs.evolve(link(n), memory=sealed) for n in (1, 2))
        blank, there = attrs.evolve(link(3), memory=None), attrs.evolve(link(4), provider=OTHER_IDP, memory=sealed)
        with uow.begin() as tx:
            for one in (knows, other, blank, there):
                tx.links.add(one)
        with uow.begin() as tx:
            assert tx.links.of_user(IDP, knows.user, lock=True) == knows
            assert [tx.links.forget_memories(IDP) for _ in range(2)] == [2, 0]
            assert tx.links.of_user(IDP, knows.user) == attrs.evolve(knows, memory=None)
        with uow.begin() as tx:
            assert tx.links.get(other.id) == attrs.evolve(other, memory=None)
            assert (tx.links.get(blank.id), tx.links.get(there.id)) == (blank, there)

    def test_links_are_asked_about_when_they_are_due(self, uow: UnitOfWork[SsoTransaction]) -> None:
        """The longest unasked first, up to the limit, and each once; they come back as they were."""
        due = [attrs.evolve(link(number), synced_at=START + number * TICK) for number in range(4)]
        elsewhere = attrs.evolve(link(5), provider=OTHER_IDP, synced_at=START)
        with uow.begin() as tx:
            for one in (*reversed(due), elsewhere):
                tx.links.add(one)
        now, before = START + HOUR, START + 2 * TICK
        taken: list[tuple[Link, ...]] = []
        for _ in range(3):
            with uow.begin() as tx:
                taken.append(tx.links.take_due([IDP, ProviderId("none")], before, now, beyond=now + HOUR, limit=2))
        assert taken == [tuple(due[:2]), (due[2],), ()]
        with uow.begin() as tx:
            assert tx.links.take_due((), now, now, beyond=now, limit=2) == ()
            stamped = [attrs.evolve(one, synced_at=now) for one in due[:3]]
            assert [tx.links.get(one.id) for one in (*due, elsewhere)] == [*stamped, due[3], elsewhere]

    def test_a_link_that_a_wrong_clock_stamped_is_due(self, uow: UnitOfWork[SsoTransaction]) -> None:
        """Otherwise nobody would be asked about it until that clock is right; *beyond* itself is not yet wrong."""
        beyond = START + HOUR
        right, wrong = (attrs.evolve(link(n), synced_at=beyond + n * TICK) for n in range(2))
        with uow.begin() as tx:
            tx.links.add(right)
            tx.links.add(wrong)
            assert tx.links.take_due([IDP], START - HOUR, START, beyond=beyond, limit=9) == (wrong,)
            assert tx.links.get(wrong.id) == attrs.evolve(wrong, synced_at=START)

    @pytest.mark.parametrize("workers", CROWDS)
    def test_of_many_threads_one_links(self, uow: UnitOfWork[SsoTransaction], workers: int) -> None:
        """One subject goes to one person, and one person gets one subject: the constraint decides."""
        for rule, given in (
            ("sso_link.subject", {"subject": Subject("one")}),
            ("sso_link.user", {"user": UserId("one")}),
        ):

            def add(number: int, given: dict[str, Any] = given) -> str:
                try:
                    with uow.begin() as tx:
                        tx.links.add(attrs.evolve(link(number), **given))
                except UniqueViolated as refusal:
                    return refusal.rule
                return "won"

            assert sorted(at_once(add, threads=workers)) == [*[rule] * (workers - 1), "won"]
            with uow.begin() as tx:
                assert len(tx.links.remove_of_provider(IDP)) == 1

    @pytest.mark.parametrize("workers", CROWDS)
    def test_a_due_link_is_given_to_one_of_many_threads(self, uow: UnitOfWork[SsoTransaction], workers: int) -> None:
        """Whatever was left because another one held it comes the next time; nothing is given twice."""
        due = {attrs.evolve(link(number), synced_at=START + number * TICK) for number in range(2 * workers)}
        with uow.begin() as tx:
            for one in due:
                tx.links.add(one)

        def take(_number: int = 0) -> tuple[Link, ...]:
            with uow.begin() as tx:
                return tx.links.take_due([IDP], START + HOUR, START + HOUR + TICK, beyond=START + 2 * HOUR, limit=3)

        taken = [one for some in at_once(take, threads=workers) for one in some]
        while some := take():
            taken += some
        assert len(taken) == len(due)
        assert set(taken) == due


def _violates(uow: UnitOfWork[SsoTransaction], rule: str, write: Callable[[], object]) -> None:
    with pytest.raises(UniqueViolated) as refusal, uow.savepoint():
        write()
    assert refusal.value.rule == rule
