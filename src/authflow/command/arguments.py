"""What a host hands to a command: what is of another type than the method says is refused before it is relied on.

A text in the place of a secret, or a form's ``"no"`` in the place of a flag, would end deep inside as an error of
Python's or of a database driver, or count as true.
"""

from __future__ import annotations

from collections.abc import Collection
from inspect import Parameter
from typing import TYPE_CHECKING, Any, Final, cast

import attrs

from authflow.errors import InputInvalid
from authflow.values import IDENTIFIER_MAX, BrowserSession, Context, Proof, Secret, identifier

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from inspect import Signature


COUNT_MAX: Final = 2**31 - 1
"""Whole numbers are counts and limits here; more than this no database takes in a LIMIT."""


def _is_secret(given: object) -> bool:
    """Tell whether it is one, and of a text: ``Secret(form.get("token"))`` is not, of a form without a token."""
    return isinstance(given, Secret) and isinstance(cast("object", given.reveal()), str)


def _is_count(given: object) -> bool:
    return type(given) is int and 1 <= given <= COUNT_MAX


def _is_number(given: object) -> bool:
    return isinstance(given, int | float) and not isinstance(given, bool)


def _is_project(given: object) -> bool:
    try:
        identifier(given, field="project")
    except InputInvalid:
        return False
    return True


def _are_texts(given: object) -> bool:
    """Tell whether it is a collection of texts: a lone text would be taken for its letters."""
    if isinstance(given, str | bytes) or not isinstance(given, Collection):
        return False
    return all(isinstance(each, str) for each in cast("Collection[object]", given))


CHECKED: Final[Mapping[str, tuple[Callable[[object], bool], str]]] = {
    "BrowserSession": (lambda given: isinstance(given, BrowserSession), "must be a BrowserSession"),
    "Context": (lambda given: isinstance(given, Context), "must be a Context"),
    "Proof": (lambda given: isinstance(given, Proof), "must be a Proof"),
    "Secret": (_is_secret, "must be a Secret of a text"),
    "int": (_is_count, f"must be a whole number from 1 to {COUNT_MAX}"),
    "float": (_is_number, "must be a number"),
    "bool": (lambda given: isinstance(given, bool), "must be True or False"),
    "ProjectId": (_is_project, f"must be 1 to {IDENTIFIER_MAX} printable ASCII characters without blanks"),
    "Sequence[str]": (_are_texts, "must be a list of texts"),
}
"""What an argument of this annotated type has to be. Texts are read by the method itself: many have an answer.

A project is the host's own, which no stranger names: what cannot be one has no answer.
"""

OPTIONAL: Final = " | None"


@attrs.frozen(kw_only=True)
class Checked:
    """One argument of a command that is checked; *place* is where it may stand without its name, -1 if nowhere."""

    name: str
    place: int
    fits: Callable[[object], bool]
    problem: str
    optional: bool

    def require(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        """Refuse it if it is given and of another type; what is missing Python will say.

        Raises:
            InputInvalid: It is.
        """
        by_place = 0 <= self.place < len(args)
        if not by_place and self.name not in kwargs:
            return
        given: object = args[self.place] if by_place else kwargs[self.name]
        if not self.fits(given) and not (given is None and self.optional):
            raise InputInvalid(field=self.name, problem=self.problem)


def checked(signature: Signature) -> tuple[Checked, ...]:
    """Return which arguments of a method are checked, by their annotations as they are written; the first is itself."""
    found = (_checked(parameter, place - 1) for place, parameter in enumerate(signature.parameters.values()))
    return tuple(argument for argument in found if argument is not None)


def _checked(parameter: Parameter, place: int) -> Checked | None:
    written = str(parameter.annotation)
    fits, problem = CHECKED.get(written.removesuffix(OPTIONAL), (None, ""))
    if fits is None:
        return None
    return Checked(
        name=parameter.name,
        place=-1 if parameter.kind is Parameter.KEYWORD_ONLY else place,
        fits=fits,
        problem=problem,
        optional=written.endswith(OPTIONAL),
    )
