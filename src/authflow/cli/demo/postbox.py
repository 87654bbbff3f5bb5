"""Where the mails of the demo arrive: each is printed as the console mailer prints it, and kept to be opened."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Final

from authflow.adapters.mail import ConsoleMailer
from authflow.cli.layout import wrapped

if TYPE_CHECKING:
    from authflow.facts.records import Mail, MailKind


MARGIN: Final = "    | "
"""What stands before everything that comes from outside the story: mails, and what receivers hear."""


class Postbox:
    """A mailer that prints and keeps what it is given."""

    def __init__(self) -> None:
        self.mails: list[Mail] = []

    def send(self, mail: Mail) -> None:
        """Print *mail* and keep it."""
        paper = io.StringIO()
        ConsoleMailer(paper).send(mail)
        print("\n".join(wrapped(line, indent=MARGIN) for line in paper.getvalue().rstrip().splitlines()) + "\n")
        self.mails.append(mail)

    def newest(self, kind: MailKind) -> Mail:
        """Return the mail of this kind that came last."""
        return next(mail for mail in reversed(self.mails) if mail.kind is kind)
