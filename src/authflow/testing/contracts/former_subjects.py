"""What every store of subjects whose link ended must keep."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import pytest

from authflow.sso.identity import Subject
from authflow.sso.links import Former
from authflow.testing.clocks import START
from authflow.testing.contracts.links import ACME, ALIKE, IDP, OTHER_IDP, TICK, link
from authflow.values import OrganizationId, UserId

if TYPE_CHECKING:
    from datetime import datetime

    from authflow.ports import UnitOfWork
    from authflow.sso.ports import SsoTransaction


class FormerSubjectsContract:
    """Subclass this, override the fixture `uow`, and pytest checks your ``FormerSubjects``."""

    @pytest.fixture
    def uow(self) -> UnitOfWork[SsoTransaction]:
        """Return a unit of work on an empty installation."""
        raise NotImplementedError

    def test_a_removal_is_remembered_under_every_subject_of_the_person(self, uow: UnitOfWork[SsoTransaction]) -> None:
        """The last one, at this provider, of this person, to the byte; whoever has the subject next changes nothing."""
        ada, eve, globex = UserId("ada"), UserId("eve"), OrganizationId("globex")
        with uow.begin() as tx:
            former = tx.former_subjects
            assert former.find(ACME, IDP, ALIKE[0]) is None
            for subject in ALIKE:
                former.remember(ACME, IDP, subject, ada)
            former.remember(ACME, IDP, Subject("hers"), eve)
            former.remember(globex, OTHER_IDP, ALIKE[0], ada)
            former.remember(ACME, IDP, Subject("link-7"), ada)
            tx.links.add(attrs.evolve(link(7), provider=IDP, subject=Subject("link-7"), user=eve))
            for late in range(2):
                former.bar(ACME, ada, START + late * TICK)
            assert former.find(ACME, IDP, Subject("link-7")) == _former(Subject("link-7"), ada, None)
            former.clear(ACME, IDP, Subject("link-7"))
            former.remember(ACME, IDP, ALIKE[1], eve)
        with uow.begin() as tx:
            former = tx.former_subjects
            gone = {subject: _former(subject, ada, START + TICK) for subject in ALIKE}
            gone[ALIKE[1]] = attrs.evolve(gone[ALIKE[1]], user=eve)
            assert {subject: former.find(ACME, IDP, subject) for subject in ALIKE} == gone
            assert former.find(ACME, IDP, Subject("hers")) == _former(Subject("hers"), eve, None)
            elsewhere = attrs.evolve(_former(ALIKE[0], ada, None), organization=globex, provider=OTHER_IDP)
            theirs = sorted((one for one in gone.values() if one.user == ada), key=lambda one: one.subject.encode())
            assert former.of_user(ada) == (*theirs, elsewhere)
            for _ in range(2):
                former.clear(ACME, IDP, ALIKE[0])
            left = [former.find(ACME, IDP, subject) is not None for subject in ALIKE]
            assert left == [False, *[True] * (len(ALIKE) - 1)]

    def test_the_subjects_of_a_provider_that_ends_are_remembered_at_once(self, uow: UnitOfWork[SsoTransaction]) -> None:
        """Of every link there and of no other; a removal that is remembered stays, and whose it was last is new."""
        links = [attrs.evolve(link(number), subject=subject) for number, subject in enumerate(ALIKE)]
        elsewhere = attrs.evolve(link(99), provider=OTHER_IDP)
        eve = UserId("eve")
        with uow.begin() as tx:
            tx.former_subjects.remember(ACME, IDP, ALIKE[0], eve)
            tx.former_subjects.bar(ACME, eve, START)
            tx.former_subjects.remember(ACME, IDP, Subject("hers"), eve)
            for one in (*links, elsewhere):
                tx.links.add(one)
            for _ in range(2):
                tx.former_subjects.remember_all(IDP)
        with uow.begin() as tx:
            found = [tx.former_subjects.find(ACME, IDP, subject) for subject in ALIKE]
            removed = [START, *[None] * (len(ALIKE) - 1)]
            assert found == [_former(o.subject, o.user, at) for o, at in zip(links, removed, strict=True)]
            assert tx.former_subjects.of_user(eve) == (_former(Subject("hers"), eve, None),)
            assert tx.former_subjects.of_user(elsewhere.user) == ()

    def test_whoever_is_deleted_is_named_no_more_and_stays_removed(self, uow: UnitOfWork[SsoTransaction]) -> None:
        """A subject of which nobody was removed leaves no row."""
        ada, free, barred = UserId("ada"), Subject("free"), Subject("barred")
        with uow.begin() as tx:
            former = tx.former_subjects
            former.remember(ACME, IDP, barred, ada)
            former.bar(ACME, ada, START)
            former.remember(ACME, IDP, free, ada)
            former.forget(ada)
            assert former.of_user(ada) == ()
        with uow.begin() as tx:
            assert tx.former_subjects.find(ACME, IDP, free) is None
            assert tx.former_subjects.find(ACME, IDP, barred) == _former(barred, None, START)


def _former(subject: Subject, user: UserId | None, removed_at: datetime | None) -> Former:
    return Former(organization=ACME, provider=IDP, subject=subject, user=user, removed_at=removed_at)
