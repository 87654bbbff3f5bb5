"""Reading what an owner set: one field after the other, and everything that is wrong said at once, by its name."""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, TypeVar

from authflow.errors import InputInvalid

if TYPE_CHECKING:
    from collections.abc import Collection, Generator, Sequence

    from authflow.sso.fetching import Fetcher
    from authflow.sso.kinds import Document, Json

T = TypeVar("T")

VISIBLE: Final = re.compile(r"[ -~]+")
"""RFC 6749 appendix A: client identifiers and secrets are printable ASCII."""

SCOPE: Final = re.compile(r"[!#-\[\]-~]{1,255}")
"""RFC 6749 3.3: a scope-token."""

TEXT_MAX: Final = 255
SECRET_MAX: Final = 4096
"""Characters; secrets that are signed tokens themselves have more than a thousand."""

LIST_MAX: Final = 100


MISSING: Final = "is missing"
UNSAFE_URL: Final = "is not an https URL without credentials and fragment"


@contextmanager
def reading(settings: Document, names: Collection[str]) -> Generator[Fields]:
    """Give the fields of *settings*, of which *names* are all there may be; nothing comes of them if one is wrong.

    Raises:
        InputInvalid: At the end, if anything is wrong: with every field that is, in the order in which they were read.
    """
    fields = Fields(settings)
    for name in sorted(set(settings) - set(names))[:LIST_MAX]:
        fields.wrong(name[:TEXT_MAX], "is no setting of this kind of provider")
    yield fields
    fields.require_sound()


class Fields:
    """The fields of *settings*. One that is wrong is noted, and read to something that nobody will see: `reading`."""

    def __init__(self, settings: Document) -> None:
        self._settings = settings
        self._problems = dict[str, str]()

    def wrong(self, name: str, problem: str) -> None:
        """Note what is wrong with a field; what was noted of it first stands."""
        self._problems.setdefault(name, problem)

    def require_sound(self) -> None:
        """Return if nothing was wrong.

        Raises:
            InputInvalid: Something was.
        """
        if self._problems:
            (field, problem), *others = self._problems.items()
            raise InputInvalid(field=field, problem=problem, others=tuple(others))

    def text(self, name: str, *, most: int = TEXT_MAX, default: str | None = None) -> str:
        """Return the printable ASCII of a field; *default* where it is left out, or it must be there."""
        given = self._settings.get(name)
        if given is None or given == "":
            return default if default is not None else self._refused(name, MISSING, "")
        printable = isinstance(given, str) and VISIBLE.fullmatch(given) is not None and given == given.strip()
        if not isinstance(given, str) or not printable or len(given) > most:
            return self._refused(name, f"is not up to {most} printable ASCII characters", "")
        return given

    def secret(self, name: str) -> str | None:
        """Return a secret, or none where there is none."""
        return self.text(name, most=SECRET_MAX, default="") or None

    def required_secret(self, name: str) -> str:
        """Return a secret that must be there."""
        return self.text(name, most=SECRET_MAX)

    def url(self, name: str, fetcher: Fetcher, *, default: str | None = None) -> str:
        """Return an URL that may be fetched; *default* where it is left out, or it must be there."""
        given = self._settings.get(name)
        if given is None or given == "":
            return default if default is not None else self._refused(name, MISSING, "")
        if not isinstance(given, str) or not fetcher.permits(given):
            return self._refused(name, UNSAFE_URL, "")
        return given

    def issuer(self, name: str, fetcher: Fetcher) -> str:
        """Return the URL of an issuer, exactly as it names itself (OIDC Discovery 3: no query)."""
        given = self.url(name, fetcher)
        return self._refused(name, "has a query, which an issuer has not", "") if "?" in given else given

    def flag(self, name: str, *, default: bool) -> bool:
        """Return true or false, and nothing that is like them."""
        given = self._settings.get(name)
        if given is None:
            return default
        return given if isinstance(given, bool) else self._refused(name, "is neither true nor false", default)

    def number(self, name: str, least: int, most: int) -> int | None:
        """Return a whole number, or none where there is none."""
        given = self._settings.get(name)
        if given is None:
            return None
        if not isinstance(given, int) or isinstance(given, bool) or not least <= given <= most:
            return self._refused(name, f"is no whole number from {least} to {most}", None)
        return given

    def choice(self, name: str, among: Sequence[str], *, default: str) -> str:
        """Return one of *among*."""
        given = self._settings.get(name)
        if given is None:
            return default
        if not isinstance(given, str) or given not in among:
            return self._refused(name, f"is none of {', '.join(filter(None, among))}", default)
        return given

    def choices(self, name: str, among: Collection[str], *, default: Collection[str]) -> list[Json]:
        """Return one or more of *among*, sorted."""
        given = self.listed(name) or sorted(default)
        if not set(given) <= set(among):
            self.wrong(name, f"holds something else than {', '.join(sorted(among))}")
        return [*sorted(set(given))]

    def scopes(self, name: str, *, default: Sequence[str], always: Sequence[str] = ()) -> list[Json]:
        """Return scopes in their order, each once; *always* are asked for whatever else is."""
        given = self.listed(name) or [*default]
        if not all(SCOPE.fullmatch(scope) for scope in given):
            self.wrong(name, "holds what is no scope")
        return [*dict.fromkeys([*always, *given])]

    def listed(self, name: str) -> list[str]:
        """Return the texts of a list, or an empty list where there is none."""
        given = self._settings.get(name)
        if given is None:
            return []
        if not isinstance(given, list) or len(given) > LIST_MAX:
            return self._refused(name, f"is no list of up to {LIST_MAX} texts", [])
        texts = [item for item in given if isinstance(item, str) and 0 < len(item) <= TEXT_MAX]
        if len(texts) != len(given):
            self.wrong(name, f"holds something that is no text of up to {TEXT_MAX} characters")
        return texts

    def _refused(self, name: str, problem: str, instead: T) -> T:
        self.wrong(name, problem)
        return instead
