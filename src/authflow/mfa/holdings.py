"""Everything a person has enrolled, read at once, and the questions that are asked of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import attrs

from authflow.mfa import kinds
from authflow.mfa.answers import Entry, Held, Listing, Status
from authflow.mfa.factor import Unenrolled, enrolled
from authflow.mfa.kinds import KINDS, RECOVERY, UNKNOWN
from authflow.mfa.recovery import NoCodes, Ready
from authflow.ports import Stored
from authflow.values import AuthenticatorId

if TYPE_CHECKING:
    from collections.abc import Mapping

    from authflow.mfa.factor import Factor
    from authflow.mfa.kinds import Kind
    from authflow.mfa.recovery import Recovery
    from authflow.policy import MfaPolicy

NO_FACTOR: Final[Stored[Factor]] = Stored(Unenrolled(), 0)
NO_RECOVERY: Final[Stored[Recovery]] = Stored(NoCodes(), 0)
NO_ID: Final = AuthenticatorId("")


@attrs.frozen(kw_only=True)
class Holdings:
    """The factors of one person by kind, and their recovery codes. A kind that is missing is not enrolled."""

    factors: Mapping[str, Stored[Factor]] = attrs.field(factory=dict[str, Stored["Factor"]])
    recovery: Stored[Recovery] = NO_RECOVERY

    def holding(self, kind: str, state: Factor | Recovery, *, version: int) -> Holdings:
        """Return the same with *state*, stored under *version*, as what there is of *kind*."""
        if isinstance(state, NoCodes | Ready):
            return Holdings(factors=self.factors, recovery=Stored(state, version))
        return Holdings(factors={**self.factors, kind: Stored(state, version)}, recovery=self.recovery)

    def factor(self, kind: Kind) -> Stored[Factor]:
        """Return the stored factor of *kind*."""
        return self.factors.get(kind.id, NO_FACTOR)

    def version(self, kind: str) -> int:
        """Return the version of what is stored of *kind*, 0 where nothing is."""
        return self.recovery.version if kind == RECOVERY.id else self.factors.get(kind, NO_FACTOR).version

    def held(self) -> tuple[Held, ...]:
        """Return every enrolled authenticator, in the order of kinds."""
        return tuple(found for kind in KINDS if (found := self._held(kind)) is not None)

    def kind_of(self, authenticator: object) -> Kind:
        """Return the kind of the authenticator with this id; `UNKNOWN` if the person has none such."""
        return next((held.kind for held in self.held() if held.id == authenticator), UNKNOWN)

    def id_of(self, kind: Kind) -> AuthenticatorId:
        """Return the id of the enrolled authenticator of *kind*; empty where there is none."""
        found = self._held(kind)
        return NO_ID if found is None else found.id

    def primaries(self) -> tuple[str, ...]:
        """Return the primary kinds that are enrolled, available or not (mfa 3.4)."""
        return tuple(kind.id for kind in KINDS if not kind.backup and self._has(kind))

    def backups(self) -> tuple[str, ...]:
        """Return the backup kinds that there are."""
        return tuple(kind.id for kind in KINDS if kind.backup and self._has(kind))

    def usable(self, policy: MfaPolicy) -> tuple[Kind, ...]:
        """Return the enrolled kinds that the person can answer a challenge with now; empty is a support case."""
        return tuple(
            held.kind
            for held in self.held()
            if kinds.available(held.kind, policy) and (held.remaining is None or held.remaining > 0)
        )

    def usable_without(self, kind: Kind, policy: MfaPolicy) -> int:
        """Return how many usable primary factors stay if *kind* goes."""
        return len([left for left in self.usable(policy) if not left.backup and left != kind])

    def listing(self, policy: MfaPolicy) -> Listing:
        """Return every kind that is available or enrolled, in the order of kinds (mfa 13.1)."""
        entries = tuple(self.entry(kind, policy) for kind in KINDS)
        shown = tuple(entry for entry in entries if entry.available or entry.held is not None)
        return Listing(entries=shown, protected=bool(self.primaries()))

    def entry(self, kind: Kind, policy: MfaPolicy) -> Entry:
        """Return what is shown of *kind*."""
        held = self._held(kind)
        return Entry(
            kind=kind,
            status=Status.NEW if held is None else Status.MULTI if kind.multi else Status.EXISTING,
            available=kinds.available(kind, policy),
            closed=kinds.closed(kind, policy),
            held=held,
        )

    def _has(self, kind: Kind) -> bool:
        if kind is RECOVERY:
            return isinstance(self.recovery.state, Ready)
        return enrolled(self.factor(kind).state) is not None

    def _held(self, kind: Kind) -> Held | None:
        return self._recovery() if kind is RECOVERY else self._factor(kind)

    def _factor(self, kind: Kind) -> Held | None:
        standing = enrolled(self.factor(kind).state)
        if standing is None:
            return None
        return Held(
            kind=kind,
            id=standing.id,
            name=standing.name,
            created_at=standing.created_at,
            last_used_at=standing.last_used_at,
        )

    def _recovery(self) -> Held | None:
        ready = self.recovery.state
        if not isinstance(ready, Ready):
            return None
        return Held(
            kind=RECOVERY,
            id=ready.authenticator,
            name=RECOVERY.title,
            created_at=ready.created_at,
            last_used_at=ready.last_used_at,
            remaining=ready.left,
        )
