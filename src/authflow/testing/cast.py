"""Who plays in the story of the post flow: people with browsers, phones and paper, and the places they go to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import attrs
from hypothesis import strategies as st

from authflow.testing.browsers import Browser
from authflow.values import OrganizationId

if TYPE_CHECKING:
    from authflow.mfa.answers import Begun
    from authflow.testing.browsers import Phone
    from authflow.values import UserId

PEOPLE: Final = ("ada@example.com", "bob@example.com")
ORGANIZATIONS: Final = (OrganizationId("strict"), OrganizationId("easy"))
OWNER_ADDRESS: Final = "olga@example.com"
ROOT_ADDRESS: Final = "root@example.com"

people = st.sampled_from(PEOPLE)
places = st.sampled_from(ORGANIZATIONS)
windows = st.sampled_from([0, 0, 0, 1])


@attrs.define
class Actor:
    """One person of the story: two browsers, what is on their phone and on their sheet of paper."""

    user: UserId
    browsers: tuple[Browser, Browser] = attrs.field(factory=lambda: (Browser(), Browser()))
    phone: Phone | None = None
    begun: dict[int, Begun] = attrs.field(factory=dict[int, "Begun"])
    paper: list[str] = attrs.field(factory=list[str])
    typed: list[str] = attrs.field(factory=list[str])
