"""Where each thing of the reference is described, and links to it."""

from __future__ import annotations

import enum
import re
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, NewType

import attrs
import hints  # these three are beside this script
from calls import commands, services
from pieces import prose

from authflow.errors import AuthflowError, Code
from authflow.policy import Policy
from authflow.values import Secret

if TYPE_CHECKING:
    from collections.abc import Iterator

FACADE: Final = """
authflow.wiring:Authflow authflow.awaitable:AsyncAuthflow authflow.adapters.keys:KeyRing
authflow.adapters.sql.engine:prepare
authflow.adapters.sql.hosted:UserTable authflow.adapters.sql.hosted:AddressColumn
authflow.adapters.sql.hosted:AddressTable authflow.adapters.sql.hosted:RowsOf
authflow.adapters.sql.hosted:OrganizationTable
authflow.ports:User authflow.ports:UserAddress authflow.ports:Organization
authflow.ports:Mailer authflow.facts.records:Mail authflow.facts.records:MailKind authflow.adapters.mail:render
authflow.adapters.mail:Text authflow.adapters.mail:ConsoleMailer authflow.adapters.mail:MemoryMailer
authflow.adapters.smtp:SmtpMailer
authflow.sso.endpoints:Endpoints authflow.sso.kinds:Kinds authflow.adapters.providers.openid:openid_kinds
authflow.adapters.providers.saml:saml_kinds authflow.adapters.providers.fetcher:HttpFetcher
authflow.outbox.signals:Notice authflow.facts.records:Signal authflow.facts.records:Category
authflow.assembly:Ports
"""
"""What a host opens once, in the order of its page."""


@cache
def facade() -> tuple[Any, ...]:
    """Return everything that is described on the page of the facade."""
    found = (each.partition(":") for each in FACADE.split())
    return tuple(getattr(import_module(home), name) for home, _, name in found)


@cache
def values() -> tuple[Any, ...]:
    """Return every class that a command takes or answers, and what they are made of, in the order of their names."""
    found: dict[Any, None] = {}

    def visit(hint: object) -> None:
        for kind in filter(_is_value, hints.mentioned(hint)):
            if kind not in found and kind not in facade():
                found[kind] = None
                for field in hints.of_class(kind).values() if isinstance(kind, type) else ():
                    visit(field)

    for service in services().values():
        for command in commands(service).values():
            for hint in hints.of_function(command.function).values():
                visit(hint)
    return tuple(sorted(found, key=lambda kind: str(kind.__name__).lower()))


def _is_value(kind: Any) -> bool:  # noqa: ANN401  # whatever an annotation mentions
    if not getattr(kind, "__module__", "").startswith("authflow.") or kind is Code:
        return False
    is_holder = isinstance(kind, type) and (attrs.has(kind) or issubclass(kind, enum.Enum | Secret))
    return is_holder or isinstance(kind, NewType)


@cache
def homes() -> dict[Any, str]:
    """Return the address of each thing that is described somewhere."""
    return {
        **{kind: f"answers.md#{kind.__name__.lower()}" for kind in values()},
        **{kind: f"facade.md#{kind.__name__.lower()}" for kind in facade()},
        **{kind: f"{name}.md" for name, kind in services().items()},
        **{kind: f"policy.md#{kind.__name__.lower()}" for kind in hints.of_class(Policy).values()},
        Policy: "policy.md",
        Code: "errors.md",
    }


def linked(hint: object) -> str:
    """Return *hint* spelled out, each member of a union as a link where it is described."""
    return " | ".join(_linked(each) for each in hints.alternatives(hint))


def _linked(hint: object) -> str:
    text = f"`{hints.spelled(hint)}`"
    known = [homes()[kind] for kind in hints.mentioned(hint) if kind in homes()]
    return f"[{text}]({known[0]})" if known else text


def error_link(value: str) -> str:
    """Return a link to what is said of a code."""
    return f"[`{value}`](../errors/{value}.md)"


def exceptions(root: type[AuthflowError] = AuthflowError) -> Iterator[type[AuthflowError]]:
    """Yield every exception of the library."""
    for exception in root.__subclasses__():
        yield exception
        yield from exceptions(exception)


def documented(thing: object) -> str:
    """Return the docstring of *thing* as Markdown, the answers it names and what it raises linked."""
    codes = {exception.__name__: exception.code for exception in exceptions()}

    def raised(entry: re.Match[str]) -> str:
        return re.sub(r"`(\w+)`", lambda name: f"[{name[0]}](../errors/{codes[name[1]]}.md)", entry[0])

    known = {kind.__name__: home for kind, home in homes().items() if home.startswith("answers.md#")}

    def described(name: re.Match[str]) -> str:
        return f"[{name[0]}]({known[name[1]]})" if name[1] in known else name[0]

    before, marked, after = prose(thing).partition("**Raises:**")
    linked_before = re.sub(r"`([A-Z]\w+)`", described, before)
    return linked_before + marked + re.sub(r"^- `[^:]*:", raised, after, flags=re.MULTILINE)
