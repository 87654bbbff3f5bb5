"""Providers, links, pipelines, and what single sign-on accepts once, in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from authflow.adapters.registering import person_of
from authflow.errors import StaleVersion
from authflow.ports import Stored
from authflow.sso.connection import NoProvider
from authflow.sso.links import Former

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from datetime import datetime

    from authflow.adapters.memory.shared import MemoryUsers
    from authflow.adapters.memory.store import Store, Table
    from authflow.sso.connection import Connected, Provider
    from authflow.sso.identity import Subject
    from authflow.sso.kinds import Single
    from authflow.sso.links import Link
    from authflow.sso.pipeline import PipelineId
    from authflow.sso.ports import Newcomer, SealedPipeline
    from authflow.values import LinkId, OrganizationId, ProviderId, Sealed, SessionId, UserId


class MemoryProviders:
    """`authflow.sso.ports.ProviderRows` in a dictionary."""

    def __init__(self, store: Store) -> None:
        self._rows: Table[ProviderId, Stored[Connected]] = store.table(
            "sso_provider", {"sso_provider.organization": lambda row: row.state.organization}
        )

    def load(self, organization: OrganizationId, *, lock: bool = False) -> Stored[Provider]:  # noqa: ARG002  # the store's lock is the row lock
        found = self._of(organization)
        return Stored(NoProvider(), 0) if found is None else Stored(found.state, found.version)

    def save(self, organization: OrganizationId, state: Provider, *, expected: int) -> None:
        if not isinstance(state, NoProvider) and expected == 0:
            self._rows.add(state.id, Stored(state, 1))
            return
        found = self._of(organization)
        if found is None or found.version != expected:
            raise StaleVersion
        if isinstance(state, NoProvider):
            self._rows.drop(found.state.id)
            return
        if state.id != found.state.id:
            raise StaleVersion
        self._rows.put(state.id, Stored(state, expected + 1))

    def with_kind(
        self, kinds: Collection[str], *, limit: int, after: OrganizationId | None = None
    ) -> tuple[Connected, ...]:
        meant = (row.state for row in self._rows.rows() if row.state.kind in kinds)
        behind = (made for made in meant if after is None or made.organization > after)
        return tuple(sorted(behind, key=lambda made: made.organization)[:limit])

    def sealing_keys(self) -> frozenset[str]:
        return frozenset(row.state.settings.config.key_id for row in self._rows.rows())

    def sealed_under(
        self, keys: Collection[str], *, limit: int, after: OrganizationId | None = None
    ) -> tuple[OrganizationId, ...]:
        under = (row.state for row in self._rows.rows() if row.state.settings.config.key_id in keys)
        return tuple(sorted(m.organization for m in under if after is None or m.organization > after)[:limit])

    def _of(self, organization: OrganizationId) -> Stored[Connected] | None:
        return next(self._rows.where(lambda row: row.state.organization == organization), None)


def _by_subject(row: Link) -> tuple[ProviderId, Subject]:
    return row.provider, row.subject


def _by_user(row: Link) -> tuple[ProviderId, UserId]:
    return row.provider, row.user


class MemoryLinks:
    """`authflow.sso.ports.LinkRows` in a dictionary."""

    def __init__(self, store: Store) -> None:
        self._rows: Table[LinkId, Link] = store.table(
            "sso_link", {"sso_link.subject": _by_subject, "sso_link.user": _by_user}
        )

    def get(self, link: LinkId) -> Link | None:
        return self._rows.get(link)

    def by_subject(self, provider: ProviderId, subject: Subject, *, lock: bool = False) -> Link | None:  # noqa: ARG002  # the store's lock is the row lock
        return next(self._rows.where(lambda row: _by_subject(row) == (provider, subject)), None)

    def of_user(self, provider: ProviderId, user: UserId, *, lock: bool = False) -> Link | None:  # noqa: ARG002  # as above
        return next(self._rows.where(lambda row: _by_user(row) == (provider, user)), None)

    def expect(self, provider: ProviderId, subject: Subject, *, user: UserId | None = None, lock: bool = False) -> None:
        """Do nothing: nobody waits here."""

    def all_of_user(self, user: UserId) -> tuple[Link, ...]:
        return _in_order(self._rows.where(lambda row: row.user == user))

    def linked(self, provider: ProviderId, users: Collection[UserId]) -> frozenset[UserId]:
        return frozenset(row.user for row in self._rows.where(lambda row: row.provider == provider)) & set(users)

    def add(self, link: Link) -> None:
        self._rows.add(link.id, link)

    def save(self, before: Link, after: Link) -> None:
        found = self._rows.get(before.id)
        if found is None or (found.provider, found.user, found.subject) != (after.provider, after.user, before.subject):
            raise StaleVersion
        self._rows.put(before.id, after)

    def remove(self, link: LinkId) -> bool:
        return self._rows.drop(link)

    def remove_of_provider(self, provider: ProviderId) -> tuple[Link, ...]:
        return self._remove(self.of_provider(provider))

    def of_provider(self, provider: ProviderId) -> tuple[Link, ...]:
        """Return every link there; the port has no such question, former subjects ask it."""
        return tuple(row for row in self._rows.rows() if row.provider == provider)

    def remove_of_user(self, user: UserId) -> tuple[Link, ...]:
        return self._remove(row for row in self._rows.rows() if row.user == user)

    def forget_memories(self, provider: ProviderId) -> int:
        known = [row for row in self.of_provider(provider) if row.memory is not None]
        for link in known:
            self._rows.put(link.id, attrs.evolve(link, memory=None))
        return len(known)

    def take_due(
        self, providers: Collection[ProviderId], before: datetime, now: datetime, *, beyond: datetime, limit: int
    ) -> tuple[Link, ...]:
        there = self._rows.where(lambda row: row.provider in providers)
        due = (row for row in there if row.synced_at <= before or row.synced_at > beyond)
        taken = sorted(due, key=lambda row: (row.synced_at, row.id))[:limit]
        for link in taken:
            self._rows.put(link.id, attrs.evolve(link, synced_at=now))
        return tuple(taken)

    def sealing_keys(self) -> frozenset[str]:
        return frozenset(row.memory.key_id for row in self._rows.rows() if row.memory is not None)

    def sealed_under(self, keys: Collection[str], *, limit: int, after: LinkId | None = None) -> tuple[Link, ...]:
        under = (row for row in self._rows.rows() if row.memory is not None and row.memory.key_id in keys)
        behind = (row for row in under if after is None or row.id > after)
        return tuple(sorted(behind, key=lambda row: row.id)[:limit])

    def _remove(self, links: Iterable[Link]) -> tuple[Link, ...]:
        gone = _in_order(links)
        self._rows.drop_all(link.id for link in gone)
        return gone


def _in_order(links: Iterable[Link]) -> tuple[Link, ...]:
    return tuple(sorted(links, key=lambda link: (link.organization, link.user)))


class MemoryFormerSubjects:
    """`authflow.sso.ports.FormerSubjects` in a dictionary, beside the one of *links*."""

    def __init__(self, store: Store, links: MemoryLinks) -> None:
        self._links = links
        self._rows: Table[tuple[OrganizationId, ProviderId, Subject], Former] = store.table("former_subject")

    def find(self, organization: OrganizationId, provider: ProviderId, subject: Subject) -> Former | None:
        return self._rows.get((organization, provider, subject))

    def of_user(self, user: UserId) -> tuple[Former, ...]:
        mine = self._rows.where(lambda row: row.user == user)
        return tuple(sorted(mine, key=lambda row: (row.organization, row.provider, row.subject.encode())))

    def remember(self, organization: OrganizationId, provider: ProviderId, subject: Subject, user: UserId) -> None:
        known = self.find(organization, provider, subject)
        self._put(
            Former(
                organization=organization,
                provider=provider,
                subject=subject,
                user=user,
                removed_at=None if known is None else known.removed_at,
            )
        )

    def remember_all(self, provider: ProviderId) -> None:
        for link in self._links.of_provider(provider):
            self.remember(link.organization, provider, link.subject, link.user)

    def bar(self, organization: OrganizationId, user: UserId, at: datetime) -> None:
        for row in self.of_user(user):
            if row.organization == organization and self._links.by_subject(row.provider, row.subject) is None:
                self._put(attrs.evolve(row, removed_at=at))

    def clear(self, organization: OrganizationId, provider: ProviderId, subject: Subject) -> None:
        self._rows.drop((organization, provider, subject))

    def forget(self, user: UserId) -> None:
        for row in self.of_user(user):
            if row.removed_at is None:
                self.clear(row.organization, row.provider, row.subject)
            else:
                self._put(attrs.evolve(row, user=None))

    def _put(self, row: Former) -> None:
        self._rows.put((row.organization, row.provider, row.subject), row)


@attrs.frozen(kw_only=True)
class _Pipeline:
    kept: SealedPipeline
    version: int = 1
    answer: Sealed | None = None

    def concerns(self, user: UserId) -> bool:
        return user in {self.kept.handle.started_by, self.kept.user}


class MemoryPipelines:
    """`authflow.sso.ports.PipelineRows` in a dictionary."""

    def __init__(self, store: Store) -> None:
        self._rows: Table[PipelineId, _Pipeline] = store.table("sso_pipeline")

    def add(self, pipeline: SealedPipeline) -> None:
        self._rows.add(pipeline.handle.id, _Pipeline(kept=pipeline))

    def load(self, pipeline: PipelineId, *, lock: bool = False) -> Stored[SealedPipeline] | None:  # noqa: ARG002  # the store's lock is the row lock
        found = self._rows.get(pipeline)
        return None if found is None else Stored(found.kept, found.version)

    def save(self, pipeline: SealedPipeline, *, expected: int) -> None:
        found = self._rows.get(pipeline.handle.id)
        if found is None or found.version != expected:
            raise StaleVersion
        kept = attrs.evolve(pipeline, handle=found.kept.handle)
        answer = found.answer if kept.away else None
        self._rows.put(kept.handle.id, _Pipeline(kept=kept, version=expected + 1, answer=answer))

    def keep_answer(self, pipeline: PipelineId, answer: Sealed) -> bool:
        found = self._rows.get(pipeline)
        if found is None or not found.kept.away or found.answer is not None:
            return False
        self._rows.put(pipeline, attrs.evolve(found, answer=answer))
        return True

    def answer(self, pipeline: PipelineId) -> Sealed | None:
        found = self._rows.get(pipeline)
        return None if found is None else found.answer

    def waits(self, session: SessionId, provider: ProviderId, now: datetime) -> bool:
        away = (row.kept.handle for row in self._rows.rows() if row.kept.away)
        return any((h.session, h.provider) == (session, provider) and now < h.expires_at for h in away)

    def named(self, provider: ProviderId, name: bytes) -> tuple[SealedPipeline, ...]:
        found = self._rows.where(lambda row: (row.kept.handle.provider, row.kept.named) == (provider, name))
        return tuple(sorted((row.kept for row in found), key=lambda kept: kept.handle.id))

    def remove_of_session(self, session: SessionId) -> int:
        return self._rows.drop_all(key for key, row in self._rows.items() if row.kept.handle.session == session)

    def remove_of_user(self, user: UserId) -> int:
        return self._rows.drop_all(key for key, row in self._rows.items() if row.concerns(user))

    def remove_over(self, now: datetime) -> int:
        return self._rows.drop_all(key for key, row in self._rows.items() if row.kept.handle.expires_at <= now)


class MemorySingleUse:
    """`authflow.sso.ports.SingleUse` in a dictionary."""

    def __init__(self, store: Store) -> None:
        self._rows: Table[str, datetime] = store.table("single_use")

    def spend(self, single: Single) -> bool:
        if self._rows.get(single.key) is not None:
            return False
        self._rows.add(single.key, single.expires_at)
        return True

    def sweep(self, now: datetime) -> int:
        return self._rows.drop_all(key for key, expires_at in self._rows.items() if expires_at < now)


class MemoryRegistrar:
    """`authflow.sso.ports.Registrar` on our own people."""

    def __init__(self, users: MemoryUsers) -> None:
        self._users = users

    def register(self, newcomer: Newcomer) -> UserId:
        self._users.add(person_of(newcomer))
        return newcomer.id
