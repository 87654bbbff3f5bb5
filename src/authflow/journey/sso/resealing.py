"""Sealing anew what single sign-on keeps: settings of providers, memories of links and of sessions (mfa 20.5)."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import attrs

from authflow.errors import SecretUnavailable
from authflow.sso.connection import Connected
from authflow.sso.sealing import memory_binding, session_binding, settings_binding
from authflow.values import Sealed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from authflow.journey.ports import JourneyTransaction
    from authflow.ports import Cipher, UnitOfWork
    from authflow.sso.links import Link
    from authflow.sso.provider_session import ProviderSession
    from authflow.sso.sealing import Binding
    from authflow.values import OrganizationId

    Report = Callable[[SecretUnavailable], None]

FoundT = TypeVar("FoundT")
PlaceT = TypeVar("PlaceT")


@attrs.frozen(kw_only=True)
class Resealing:
    """Seals what lies under an older key under the active one. What cannot be opened stays, and keeps nothing waiting.

    What pipelines keep is not sealed anew: none of them lives longer than an hour.
    """

    uow: UnitOfWork[JourneyTransaction]
    cipher: Cipher

    def reseal(self, *, limit: int, report: Report) -> int:
        """Seal up to *limit* of them anew, each in a transaction of its own; return how many were.

        *report* is told of each that cannot be opened.
        """
        done = self._walk(
            limit,
            keys=lambda tx: tx.providers.sealing_keys(),
            page=lambda tx, keys, some, after: tx.providers.sealed_under(keys, limit=some, after=after),
            reseal=lambda place: self._reseal_settings(place, report),
            place=lambda place: place,
        )
        done += self._walk(
            limit - done,
            keys=lambda tx: tx.links.sealing_keys(),
            page=lambda tx, keys, some, after: tx.links.sealed_under(keys, limit=some, after=after),
            reseal=lambda link: self._reseal_memory(link, report),
            place=lambda link: link.id,
        )
        return done + self._walk(
            limit - done,
            keys=lambda tx: tx.provider_sessions.sealing_keys(),
            page=lambda tx, keys, some, after: tx.provider_sessions.sealed_under(keys, limit=some, after=after),
            reseal=lambda row: self._reseal_session(row, report),
            place=lambda row: (row.session, row.provider),
        )

    def _walk(
        self,
        limit: int,
        *,
        keys: Callable[[JourneyTransaction], Iterable[str]],
        page: Callable[[JourneyTransaction, list[str], int, PlaceT | None], Sequence[FoundT]],
        reseal: Callable[[FoundT], bool],
        place: Callable[[FoundT], PlaceT],
    ) -> int:
        """Seal up to *limit* of one kind of rows anew, page by page in the order of their *place*; return how many."""
        done, after = 0, None
        with self.uow.begin() as tx:
            older = self._older(keys(tx))
        while older and done < limit:
            with self.uow.begin() as tx:
                found = page(tx, older, limit - done, after)
            if not found:
                break
            done += sum(reseal(one) for one in found)
            after = place(found[-1])
        return done

    def _reseal_settings(self, organization: OrganizationId, report: Report) -> bool:
        with self.uow.begin() as tx:
            stored = tx.providers.load(organization, lock=True)
            if not isinstance(stored.state, Connected):
                return False
            made = stored.state
            config = self._anew(made.settings.config, settings_binding(organization, made.id), report)
            if config is None:
                return False
            after = attrs.evolve(made, settings=attrs.evolve(made.settings, config=config))
            tx.providers.save(organization, after, expected=stored.version)
            return True

    def _reseal_memory(self, seen: Link, report: Report) -> bool:
        with self.uow.begin() as tx:
            link = tx.links.of_user(seen.provider, seen.user, lock=True)
            if link is None or link.memory is None:
                return False
            memory = self._anew(link.memory, memory_binding(link.provider, link.subject), report)
            if memory is None:
                return False
            tx.links.save(link, attrs.evolve(link, memory=memory))
            return True

    def _reseal_session(self, seen: ProviderSession, report: Report) -> bool:
        memory = self._anew(seen.memory, session_binding(seen.session, seen.provider), report)
        if memory is None:
            return False
        with self.uow.begin() as tx:
            return tx.provider_sessions.reseal(seen, memory)

    def _anew(self, sealed: Sealed, binding: Binding, report: Report) -> Sealed | None:
        """Return the same under the active key; none where it lies there already, or cannot be opened."""
        if not self.cipher.needs_reseal(sealed):
            return None
        try:
            return self.cipher.seal(self.cipher.open(sealed, bound_to=binding), bound_to=binding)
        except SecretUnavailable as error:
            report(error)
            return None

    def _older(self, keys: Iterable[str]) -> list[str]:
        return [key for key in keys if self.cipher.needs_reseal(Sealed(key_id=key, ciphertext=b""))]
