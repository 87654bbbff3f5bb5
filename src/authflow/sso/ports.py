"""What single sign-on asks of the world: its rows, and, where people may sign up, somebody who makes accounts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

import attrs

from authflow.ports import Transaction

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

    from authflow.ports import Stored
    from authflow.sso.connection import Connected, Provider
    from authflow.sso.identity import Subject
    from authflow.sso.kinds import Single
    from authflow.sso.links import Former, Link
    from authflow.sso.pipeline import Handle, PipelineId
    from authflow.sso.provider_session import ProviderSessionRows
    from authflow.values import Address, LinkId, OrganizationId, ProviderId, Sealed, SessionId, UserId

PROVIDER_ONCE: Final = frozenset({"sso_provider.organization", "primary_key"})
"""The uniqueness rules of `ProviderRows`: an organization has one, and the very same one has the same id."""


class ProviderRows(Protocol):
    """One row per organization that has a provider; `NoProvider` is no row, version 0."""

    def load(self, organization: OrganizationId, *, lock: bool = False) -> Stored[Provider]:
        """Return the organization's provider. With *lock* the row, if there is one, is held until the end."""
        ...

    def save(self, organization: OrganizationId, state: Provider, *, expected: int) -> None:
        """Insert (*expected* 0), replace, or delete (`NoProvider`) the row.

        Versions begin anew with each provider, and `NoProvider` does not say which one it takes away: whoever deletes
        has loaded the row with its lock.

        Raises:
            StaleVersion: The row has another version or id, or is gone. Nothing was written; the transaction lives.
            UniqueViolated: ``sso_provider.organization``: there is one already. ``primary_key``: the id is taken.
        """
        ...

    def with_kind(
        self, kinds: Collection[str], *, limit: int, after: OrganizationId | None = None
    ) -> tuple[Connected, ...]:
        """Return up to *limit* providers of these kinds, behind *after*, in the order of the organizations' ids."""
        ...

    def sealing_keys(self) -> frozenset[str]:
        """Return the ids of all keys under which settings are sealed."""
        ...

    def sealed_under(
        self, keys: Collection[str], *, limit: int, after: OrganizationId | None = None
    ) -> tuple[OrganizationId, ...]:
        """Return up to *limit* organizations behind *after*, in order, whose settings are under one of *keys*."""
        ...


class LinkRows(Protocol):
    """One row per link; subjects are compared as bytes (decision 10). A row's owner never changes."""

    def get(self, link: LinkId) -> Link | None:
        """Return the link, or none."""
        ...

    def by_subject(self, provider: ProviderId, subject: Subject, *, lock: bool = False) -> Link | None:
        """Return the link of *subject*, or none."""
        ...

    def of_user(self, provider: ProviderId, user: UserId, *, lock: bool = False) -> Link | None:
        """Return the link of *user* at *provider*, or none."""
        ...

    def expect(self, provider: ProviderId, subject: Subject, *, user: UserId | None = None, lock: bool = False) -> None:
        """Say that `by_subject` and, for a *user*, `of_user` are going to be asked: it may be sent for before."""
        ...

    def all_of_user(self, user: UserId) -> tuple[Link, ...]:
        """Return every link of *user*, in the order of the organizations' ids."""
        ...

    def linked(self, provider: ProviderId, users: Collection[UserId]) -> frozenset[UserId]:
        """Return those of *users* who have a link at *provider*."""
        ...

    def add(self, link: Link) -> None:
        """Insert *link*.

        Raises:
            UniqueViolated: ``sso_link.subject``: the subject is linked at this provider. ``sso_link.user``: the person
                is. ``primary_key``: the id is taken.
        """
        ...

    def save(self, before: Link, after: Link) -> None:
        """Replace *before*, whose subject is compared, by *after*, which has the same id, provider and owner.

        Raises:
            StaleVersion: The row is gone, or has another subject by now, or *after* another provider or owner. Nothing
                was written; the transaction lives.
            UniqueViolated: ``sso_link.subject``: the new subject is linked at this provider.
        """
        ...

    def remove(self, link: LinkId) -> bool:
        """Delete the link; false if there is none."""
        ...

    def remove_of_provider(self, provider: ProviderId) -> tuple[Link, ...]:
        """Delete every link at *provider*; return them, in the order of the persons' ids."""
        ...

    def remove_of_user(self, user: UserId) -> tuple[Link, ...]:
        """Delete every link of *user*; return them, as `all_of_user` does."""
        ...

    def forget_memories(self, provider: ProviderId) -> int:
        """Let no link at *provider* have a memory any more; return how many had one."""
        ...

    def take_due(
        self, providers: Collection[ProviderId], before: datetime, now: datetime, *, beyond: datetime, limit: int
    ) -> tuple[Link, ...]:
        """Return up to *limit* links at *providers* last asked about at or before *before*, stamped with *now*.

        One that was asked about later than *beyond* is among them: the clock that said so was far ahead. Each is given
        to one of any number of concurrent callers; they are returned as they were before the stamp, the longest unasked
        first. Links that another transaction holds are left for the next time.
        """
        ...

    def sealing_keys(self) -> frozenset[str]:
        """Return the ids of all keys under which a memory is sealed."""
        ...

    def sealed_under(self, keys: Collection[str], *, limit: int, after: LinkId | None = None) -> tuple[Link, ...]:
        """Return up to *limit* links behind *after*, in the order of their ids, whose memory is under one of *keys*."""
        ...


class FormerSubjects(Protocol):
    """One row per subject whose link ended; subjects are compared as bytes (decision 10).

    That a person was removed stands with their membership; here it stands for a subject that comes as somebody new.
    """

    def find(self, organization: OrganizationId, provider: ProviderId, subject: Subject) -> Former | None:
        """Return what is remembered of *subject*, or none."""
        ...

    def of_user(self, user: UserId) -> tuple[Former, ...]:
        """Return every subject that was *user*'s last, in the order of organizations, providers and subjects."""
        ...

    def remember(self, organization: OrganizationId, provider: ProviderId, subject: Subject, user: UserId) -> None:
        """Remember that *subject* was *user*'s last. A removal that is remembered of it stays."""
        ...

    def remember_all(self, provider: ProviderId) -> None:
        """Remember each subject that is linked at *provider*, as `remember` does: all of the links are about to end."""
        ...

    def bar(self, organization: OrganizationId, user: UserId, at: datetime) -> None:
        """Let every subject that was *user*'s last in *organization* be that of somebody who was removed at *at*.

        Those at a provider that does not stand count, too: it may be set up again. One that is linked again is
        somebody else's by now, and stays as it is.
        """
        ...

    def clear(self, organization: OrganizationId, provider: ProviderId, subject: Subject) -> None:
        """Forget *subject*, and a removal of it: it is somebody's by right again."""
        ...

    def forget(self, user: UserId) -> None:
        """Forget whose they were: what was *user*'s is nobody's where a removal is remembered, and gone elsewhere."""
        ...


@attrs.frozen(kw_only=True)
class SealedPipeline:
    """A pipeline as its row has it: of the state, who was identified included, the row knows no more than this.

    What decides stands in *handle* and behind the seal; *away*, *user* and *named* are there to find rows by.

    Args:
        handle: Written once.
        state: Sealed for this pipeline (decision 25). With *away* its browser is at the provider.
        user: Whose proof it waits for, or who gave it.
        named: Digest of what the provider calls whom it spoke of, while its answer waits and it may take it back.
    """

    handle: Handle
    state: Sealed
    away: bool
    user: UserId | None = None
    named: bytes | None = attrs.field(default=None, repr=False)


class PipelineRows(Protocol):
    """One row per sign-in, linking or setup through a provider that is under way; its handle never changes."""

    def add(self, pipeline: SealedPipeline) -> None:
        """Insert the row of a pipeline that starts.

        Raises:
            UniqueViolated: ``primary_key``: the id is taken.
        """
        ...

    def load(self, pipeline: PipelineId, *, lock: bool = False) -> Stored[SealedPipeline] | None:
        """Return the pipeline, or none. With *lock* the row is held until the transaction ends."""
        ...

    def save(self, pipeline: SealedPipeline, *, expected: int) -> None:
        """Replace the state in the row that the handle names, whose own handle stays.

        With the browser back, what `keep_answer` stored is forgotten.

        Raises:
            StaleVersion: The row has another version, or is gone: another answer was faster. Nothing was written.
        """
        ...

    def keep_answer(self, pipeline: PipelineId, answer: Sealed) -> bool:
        """Store what came for *pipeline* by a cross-site request, until the browser goes on; tell whether it was.

        It is not if the browser is not away, or an answer is there: the first one stays. What is stored is no
        credential: going on needs the secret of the browser that began (decision 25).
        """
        ...

    def answer(self, pipeline: PipelineId) -> Sealed | None:
        """Return what `keep_answer` stored, or none."""
        ...

    def waits(self, session: SessionId, provider: ProviderId, now: datetime) -> bool:
        """Tell whether a pipeline of *session* that is not over at *now* is away at *provider*."""
        ...

    def named(self, provider: ProviderId, name: bytes) -> tuple[SealedPipeline, ...]:
        """Return every pipeline under the digest *name* at *provider*, in the order of their ids."""
        ...

    def remove_of_session(self, session: SessionId) -> int:
        """Delete every pipeline of *session*; return how many there were."""
        ...

    def remove_of_user(self, user: UserId) -> int:
        """Delete every pipeline that *user* began, or that waits for their proof; return how many there were."""
        ...

    def remove_over(self, now: datetime) -> int:
        """Delete every pipeline whose life is over at *now*; return how many there were."""
        ...


class SingleUse(Protocol):
    """What was accepted once and must not be again, such as the id of a SAML assertion."""

    def spend(self, single: Single) -> bool:
        """Remember *single*; true for exactly one of any number of calls, concurrent ones included."""
        ...

    def sweep(self, now: datetime) -> int:
        """Forget what expired before *now*; return how many there were."""
        ...


@attrs.frozen(kw_only=True)
class Newcomer:
    """An account to be made: it has no password, and this one address.

    Args:
        id: Names the new person, unless the host names them itself.
        name: At most 200 characters.
        address: Their primary address.
        verified_at: When somebody who may say so said that the mailbox is theirs; none if nobody did.
    """

    id: UserId
    name: str
    address: Address
    verified_at: datetime | None = None


class Registrar(Protocol):
    """Makes accounts, in the caller's transaction. A host with a table of its own brings its own, or none at all."""

    def register(self, newcomer: Newcomer) -> UserId:
        """Insert the person, with a username that nobody has, and their address; return who they are.

        It is never somebody who was there before, whatever address they have: whoever registers is signed in as them.
        They have this one address, verified if *newcomer* says so and only then, and administrate nothing.
        The username is made of nothing that a provider asserts: anybody could be called by somebody else's name.

        Raises:
            UniqueViolated: The host's own rules forbid it. It is caught around a savepoint, and told as a conflict.
        """
        ...


class SsoTransaction(Transaction, Protocol):
    """What single sign-on needs of an open transaction."""

    @property
    def providers(self) -> ProviderRows: ...
    @property
    def links(self) -> LinkRows: ...
    @property
    def former_subjects(self) -> FormerSubjects: ...
    @property
    def pipelines(self) -> PipelineRows: ...
    @property
    def single_use(self) -> SingleUse: ...
    @property
    def provider_sessions(self) -> ProviderSessionRows: ...
    @property
    def registrar(self) -> Registrar | None: ...
