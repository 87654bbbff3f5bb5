"""What a row of the table of facts can say."""

from __future__ import annotations

from enum import Enum, unique
from typing import TYPE_CHECKING, Final

import attrs

from authflow.facts.records import Scope

if TYPE_CHECKING:
    from collections.abc import Mapping

    from authflow.facts.records import Audit, Category, MailKind, Signal


@unique
class About(Enum):
    """Whose log and whose security project a fact belongs to (decision 38)."""

    PERSON = "person"
    ORGANIZATION = "organization"
    PROJECT = "project"
    NOBODY = "nobody"


LANES: Final = {
    About.PERSON: (Scope.USER, "user"),
    About.ORGANIZATION: (Scope.ORGANIZATION, "organization"),
    About.PROJECT: (Scope.PROJECT, "project"),
}
"""In whose lane a message without regions waits, and by which field of its fact."""


@attrs.frozen(kw_only=True)
class Records:
    """One row: what a fact leaves behind.

    Args:
        about: Whose log and security project.
        audit: The entry in that log, or none. Every audited fact is saved as an event of the security project too.
        fields: The fact's fields that may leave the command, in audit data, messages and mails. Nothing else does.
        target: The field that names the object.
        message: A message without regions: user-scoped, to local receivers (decision 42), or the organization's, to the
            handler of its category.
        object: The field by which such messages coalesce, or none: each is delivered.
        signal, args: A signal to the organization's receivers, one message per region; argument name to field.
        mail: A mail to every verified address of the person, or to the fact's ``recipients``.
        secret: The field whose secret travels sealed inside the mail, and dies with the fact's ``expires_at``.
    """

    about: About
    audit: Audit | None = None
    fields: tuple[str, ...] = ()
    target: str | None = None
    message: Category | None = None
    object: str | None = None
    signal: Signal | None = None
    args: Mapping[str, str] = attrs.field(factory=dict[str, str])
    mail: MailKind | None = None
    secret: str | None = None

    @property
    def names_organization(self) -> bool:
        """Tell whether its mails say what an organization is called: it is theirs, or they belong to a person there."""
        return self.about is About.ORGANIZATION or "organization" in self.fields


NOTHING: Final = Records(about=About.NOBODY)
