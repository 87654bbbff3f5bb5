"""What a command of the command line is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from argparse import ArgumentParser
    from collections.abc import Callable


@attrs.frozen(kw_only=True)
class Command:
    """One command.

    Args:
        name: The word after ``authflow``.
        summary: What it does, on one line of the list of commands.
        described: What its own help begins with.
        arguments: Adds its arguments to a parser, and sets ``run``: a function of the parsed arguments that returns
            the exit status.
    """

    name: str
    summary: str
    described: str
    arguments: Callable[[ArgumentParser], None]
