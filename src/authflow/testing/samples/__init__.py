"""What the tests try on the machines: people, states, commands, and for each machine the alphabet of a whole walk.

A host or another team may use them for its own tests; the test vectors are made from these walks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from authflow.testing.samples.alphabet import Alphabet

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Alphabet", "alphabets"]


def alphabets() -> Mapping[str, Alphabet[Any, Any, Any]]:
    """Return the alphabet of every machine of the library, by the machine's name, sorted."""
    from authflow.testing.samples import (
        challenge,
        confirmation,
        consent,
        delivery,
        enrollment,
        invitation,
        journey,
        links,
        member,
        pipelines,
        recovery,
        save,
        sessions,
    )

    modules = (challenge, confirmation, consent, delivery, enrollment, invitation, member, recovery, save, sessions)
    sso = (links.LINKING, pipelines.LOGIN, pipelines.PROVIDER, pipelines.SETUP)
    found = [*journey.ALPHABETS, *sso, *(module.ALPHABET for module in modules)]
    return {alphabet.machine.name: alphabet for alphabet in sorted(found, key=lambda one: one.machine.name)}
