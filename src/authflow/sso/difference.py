"""How settings of a provider differ from those that stand, and what that means for whom, in names of settings alone.

What each setting is about, its kind says (`authflow.sso.kinds.Kind`); what may be done is `authflow.sso.provider`'s.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import attrs

if TYPE_CHECKING:
    from collections.abc import Collection

    from authflow.sso.kinds import Document, Kind


@attrs.frozen(kw_only=True)
class Difference:
    """Which settings differ, by what they are about. No value is in it: what is secret stays where it is sealed.

    Args:
        trusted: They say whom to believe, are secret, or say where something secret goes.
        naming: They say whose names the subjects are: under others, links name other people.
        withheld: Secrets that nobody gave, and that would go elsewhere than they were given for.
        forgets: What links remember would go elsewhere than whence it came.
    """

    trusted: frozenset[str] = frozenset()
    naming: frozenset[str] = frozenset()
    withheld: frozenset[str] = frozenset()
    forgets: bool = False


SAME: Final = Difference()
"""Nothing differs, or there is nothing to differ from."""


def compare(kind: Kind, before: Document, after: Document, *, given: Collection[str]) -> Difference:
    """Return how the settings *after* differ from those *before*; *given* are the names that somebody typed in.

    A secret of which the kind does not say where it goes, goes wherever anything that is believed says.
    """
    differ = frozenset(name for name in {*before, *after} if before.get(name) != after.get(name))
    kept = {name for name in kind.secrets if before.get(name)} - set(given)
    anything = kind.trust - kind.secrets
    elsewhere = frozenset[str]().union(kind.memory_sent_to, *kind.sent_to.values())
    return Difference(
        trusted=differ & (kind.trust | kind.secrets | kind.naming | elsewhere),
        naming=differ & kind.naming,
        withheld=frozenset(name for name in kept if differ & kind.sent_to.get(name, anything)),
        forgets=not differ.isdisjoint(kind.memory_sent_to),
    )
