"""Values that stand in almost every step of a file are written once, under a name, and referred to.

This is done to the JSON, so that whoever reads a file needs six lines to undo it: every ``{"ref": NAME}`` is the value
of that name in ``constants``, which refers to nothing else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

from authflow.testing.vectors.shapes import TAG

if TYPE_CHECKING:
    from authflow.testing.vectors.scalars import Json

REF: Final = "ref"

SHARED: Final = frozenset(
    {
        "Asker",
        "Authenticator",
        "Change",
        "Findings",
        "Handle",
        "Identity",
        "Kind",
        "Known",
        "MembershipPolicy",
        "MfaPolicy",
        "Offer",
        "Organization",
        "OutboxPolicy",
        "Person",
        "Present",
        "Proposal",
        "SessionPolicy",
        "Sponsor",
        "Standing",
        "User",
    }
)
"""What is shared: who asks, where, for what, and what an installation has decided."""


class Constants:
    """Collects shared values; the first of a type is called ``Type.1``."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}
        self._counts: dict[str, int] = {}
        self.values: dict[str, Json] = {}

    def share(self, stored: Json) -> Json:
        """Return *stored* with every shared value replaced by a reference."""
        if isinstance(stored, list):
            return [self.share(one) for one in cast("list[object]", stored)]
        if not isinstance(stored, dict):
            return stored
        record = cast("dict[str, Json]", stored)
        if record.get(TAG) in SHARED and len(record) > 1:  # one without a field is shorter than a reference
            return {REF: self._name(record)}
        return {name: self.share(value) for name, value in record.items()}

    def _name(self, record: dict[str, Json]) -> str:
        key, kind = str(record), str(record[TAG])
        if key not in self._names:
            self._counts[kind] = self._counts.get(kind, 0) + 1
            self._names[key] = f"{kind}.{self._counts[kind]}"
            self.values[self._names[key]] = record
        return self._names[key]


def resolved(stored: Json, constants: dict[str, Json]) -> Json:
    """Return *stored* with every reference replaced by what it refers to.

    Raises:
        KeyError: A reference names nothing.
    """
    if isinstance(stored, list):
        return [resolved(one, constants) for one in cast("list[object]", stored)]
    if not isinstance(stored, dict):
        return stored
    record = cast("dict[str, Json]", stored)
    if record.keys() == {REF}:
        return constants[record[REF]]
    return {name: resolved(value, constants) for name, value in record.items()}
