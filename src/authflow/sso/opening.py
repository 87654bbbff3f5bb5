"""May a setup begin? One ordered table from what is known to why not (sso 8, "Entering").

The first row that holds refuses, and where none does the kind reads the settings. Who asks is judged before anything is
told of the organization, and once more when the provider that was tried is confirmed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import attrs

from authflow.errors import Code
from authflow.sso.authority import may_change_trust
from authflow.values import Refused
from authflow.witness import refused

if TYPE_CHECKING:
    from collections.abc import Callable

    from authflow.sso.authority import Authority

UNKNOWN_ROLE: Final = "is no role of this installation"


@attrs.frozen(kw_only=True)
class Opening:
    """Everything the table looks at.

    Args:
        authority: Who asks.
        connected: The organization has a provider, of whatever kind.
        kind_known: The installation has the kind that is proposed.
        kind_included: The organization's plan includes it, as far as the host says; of an unknown kind nobody is asked.
        role_known: The installation has the role that newcomers are to get; or none is named, and the organization's
            own stands.
    """

    authority: Authority
    connected: bool
    kind_known: bool
    kind_included: bool
    role_known: bool


# --- rows -------------------------------------------------------------------------------------------------------------


def not_theirs(opening: Opening) -> Refused | None:
    """Whom the organization trusts is its owners' to say, who proved recently who they are (decision 5)."""
    code = may_change_trust(opening.authority)
    return None if code is None else Refused(code=code)


def connected(opening: Opening) -> Refused | None:
    """It has a provider: that one is edited, or disabled first, whatever the plan says by now."""
    return Refused(code=Code.SSO_PROVIDER_EXISTS) if opening.connected else None


def kind_unknown(opening: Opening) -> Refused | None:
    """The installation has no such kind."""
    return None if opening.kind_known else Refused(code=Code.SSO_KIND_UNKNOWN)


def kind_excluded(opening: Opening) -> Refused | None:
    """The organization's plan does not include the kind (sso 4)."""
    return None if opening.kind_included else Refused(code=Code.SSO_FEATURE_MISSING)


def role_unknown(opening: Opening) -> Refused | None:
    """Newcomers cannot get a role that nobody has here: what is known without asking the provider is told first."""
    if opening.role_known:
        return None
    return Refused(code=Code.SSO_INPUT_INVALID, problems={"default_role": UNKNOWN_ROLE})


# --- the table --------------------------------------------------------------------------------------------------------

TABLE: Final[tuple[Callable[[Opening], Refused | None], ...]] = (
    not_theirs,
    connected,
    kind_unknown,
    kind_excluded,
    role_unknown,
)
"""The rows, in their order."""


def refusal(opening: Opening) -> Refused | None:
    """Return what the first row that holds refuses with, or none: the setup may begin."""
    for row in TABLE:
        answer = row(opening)
        if answer is not None:
            refused(row, answer, opening)
            return answer
    return None
