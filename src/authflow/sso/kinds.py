"""Kinds of provider: how one that speaks OIDC, OAuth 2 or SAML is asked who somebody is, and how its answer is checked.

A kind knows protocols and nothing of people: it makes the request, and turns the answer into an `Assertion` or a
refusal. Whose identity that is, and what it opens, is decided elsewhere, by the same tables for every kind.
"""

from __future__ import annotations

from collections.abc import Mapping
from inspect import getattr_static
from typing import TYPE_CHECKING, Protocol, cast

import attrs

from authflow.errors import ConfigInvalid, InputInvalid

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from authflow.errors import Code
    from authflow.sso.identity import Subject
    from authflow.sso.recheck import Said
    from authflow.values import Address, OrganizationId, Secret

    Entitled = Callable[[OrganizationId, str], bool]

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]
Document = Mapping[str, Json]
"""What a kind keeps: settings, what an open request must match, tokens. JSON, and sealed wherever it is stored."""


# --- the way there ----------------------------------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class Trip:
    """One request to a provider.

    Args:
        organization: Whose provider is asked.
        callback: Where the answer must come, absolute and configured by the host: never from a request's ``Host``.
        metadata: The address under which the service provider describes itself; SAML's entity id.
        state: What must come back with the answer, unguessable; OAuth's ``state``, SAML's ``RelayState``.
        now: When.
    """

    organization: OrganizationId
    callback: str
    metadata: str
    state: Secret
    now: datetime


@attrs.frozen(kw_only=True)
class Departure:
    """Send the browser to *url*: by a redirect, or where *form* has fields, by a form that posts them.

    *request* is what the answer must match, such as a nonce, a code verifier or the id of a SAML request.
    """

    url: str = attrs.field(repr=False)
    form: Mapping[str, str] = attrs.field(factory=dict[str, str], repr=False)
    request: Document = attrs.field(repr=False)


# --- the way back -----------------------------------------------------------------------------------------------------


def _as_they_came(given: Mapping[str, object]) -> dict[str, tuple[str, ...]]:
    """Return every value of every field; a mapping with ``getlist`` has more than it shows by its keys."""
    if not isinstance(cast("object", given), Mapping):
        raise InputInvalid(field="callback", problem="must have fields")
    every = getattr(given, "getlist", None)
    pairs: list[tuple[object, object]] = (
        list(given.items()) if every is None else [(name, every(name)) for name in given]
    )
    found: dict[str, tuple[str, ...]] = {}
    for name, values in pairs:
        texts = tuple(cast("list[object]", values)) if isinstance(values, list | tuple) else (values,)
        if not isinstance(name, str) or not all(isinstance(text, str) for text in texts):
            raise InputInvalid(field="callback", problem="must have fields of texts")
        found[name] = found.get(name, ()) + cast("tuple[str, ...]", texts)
    return found


@attrs.frozen(kw_only=True)
class Callback:
    """What the browser brought back: the fields of the query, or of the form that was posted, each once or more.

    The host passes them as they came. A field that appears twice where one is meant is refused by the kind.

    Args:
        fields: The framework's own (Flask's, Django's or Starlette's query or form), or a mapping from each name to
            its text or texts.

    Raises:
        InputInvalid: It is no mapping, or a field is no text, such as a file that a browser uploads.
    """

    fields: Mapping[str, tuple[str, ...]] = attrs.field(repr=False, converter=_as_they_came)

    def one(self, name: str) -> str | None:
        """Return the one value of field *name*; none if it is missing, or there more than once."""
        values = self.fields.get(name, ())
        return values[0] if len(values) == 1 else None


@attrs.frozen(kw_only=True)
class Single:
    """Something that may be accepted once in this installation, such as a SAML assertion's id, until it expires.

    *key* is unique beyond the provider that said it: the kind puts the issuer in.
    """

    key: str
    expires_at: datetime


@attrs.frozen(kw_only=True)
class Assertion:
    """What the provider said, verified: signature, issuer, audience, request, nonce and times.

    Args:
        subject: Whom it means (`authflow.sso.identity.read_subject`).
        legacy: What it called the same person before, where the kind changed its identifiers (decision 24).
        email, name: What it says about them, for display and for a new account; either may be missing.
        email_verified: What it says of that address, as it came: whether it counts is decided by
            `authflow.sso.identity.vouches`.
        once: What makes this very answer single use; stored in the transaction that takes the answer.
        memory: What to keep with the link for asking again, such as a refresh token.
    """

    subject: Subject
    legacy: Subject | None = None
    email: Address | None = None
    email_verified: object = None
    name: str = ""
    once: tuple[Single, ...] = ()
    memory: Document = attrs.field(factory=dict[str, Json], repr=False)


@attrs.frozen(kw_only=True)
class Rejected:
    """The answer does not say who it is. *code* is for the person.

    *detail* is a sentence for the log, and for the owner who sets the provider up: no secret, no token.
    """

    code: Code
    detail: str = ""


@attrs.frozen(kw_only=True)
class Rechecked:
    """What came of asking again about somebody; *memory* replaces what was kept.

    *detail* says for the log why it failed, as of `Rejected`. It takes no part in comparisons.
    """

    said: Said
    memory: Document = attrs.field(factory=dict[str, Json], repr=False)
    detail: str = attrs.field(default="", eq=False)


class Kind(Protocol):
    """A kind of provider. No method is called while a transaction is open: each may use the network, within 10 s.

    None of them raises for what a provider or a browser sent: that is `Rejected`.
    """

    @property
    def key(self) -> str:
        """Its stable name in the registry, such as ``oidc``: lower-case ASCII letters, digits, and hyphens."""
        ...

    @property
    def name(self) -> str:
        """What people call it."""
        ...

    @property
    def version(self) -> str:
        """Changes when its steps change: a sign-in that began with others does not go on."""
        ...

    @property
    def trust(self) -> frozenset[str]:
        """Which settings say whom to believe: endpoints, keys, clients, mappings. Owners alone change them."""
        ...

    @property
    def naming(self) -> frozenset[str]:
        """Which settings say whose names its subjects are, such as an issuer: another one is another provider.

        They are not edited: a link that was made under the former ones would name somebody else.
        """
        ...

    @property
    def secrets(self) -> frozenset[str]:
        """Which settings nobody is shown again."""
        ...

    @property
    def sent_to(self) -> Mapping[str, frozenset[str]]:
        """Which settings say where each secret goes, and for whom; none where it goes nowhere, such as a private key.

        Where one of these changes, whoever changes it gives the secret again. A secret that is left out is given again
        with every change of what says whom to believe.
        """
        ...

    @property
    def memory_sent_to(self) -> frozenset[str]:
        """Which settings say where what links remember goes, such as refresh tokens, and on behalf of whom.

        Where one of these changes, all of it is forgotten: it is between its client and who issued it (RFC 6749 10.4).
        """
        ...

    def read(self, settings: Document) -> Document:
        """Return *settings* complete and in their canonical form.

        Raises:
            InputInvalid: Some are missing, unknown or unusable; *problems* names each, so that an owner is told of all
                at once.
        """
        ...

    def can_confirm(self, settings: Document) -> bool:
        """Tell whether a provider with *settings* can be asked again about people who are linked. Asks nobody.

        It depends on the settings, because a token to ask with is what each provider gives, or does not give.
        """
        ...

    def depart(self, settings: Document, trip: Trip) -> Departure | Rejected:
        """Make the request of *trip*."""
        ...

    def arrive(self, settings: Document, trip: Trip, request: Document, callback: Callback) -> Assertion | Rejected:
        """Check the answer to the request that `depart` made, with what it left in *request*.

        *trip* is that of the request, but for its *now*. That the state matches is checked before.
        """
        ...

    def recheck(self, settings: Document, memory: Document, now: datetime) -> Rechecked:
        """Ask whether the person of a link may still come in. Never called where `can_confirm` is false."""
        ...


class Kinds:
    """The registry: which kinds an installation knows, by their keys, and which of them an organization may have.

    Args:
        kinds: They are registered.
        connects: Whether an organization's plan lets it connect a kind of this key; without it, all may. A provider
            that stands is edited and disabled whatever the plan says by now.
        provisions: Whether the host serves SCIM to an organization's provider of a kind of this key; without it, to
            none. Both are asked with a transaction open: they answer from what they know, and wait for nothing.
    """

    def __init__(self, *kinds: Kind, connects: Entitled | None = None, provisions: Entitled | None = None) -> None:
        self._kinds: dict[str, Kind] = {}
        self._connects, self._provisions = connects, provisions
        for kind in kinds:
            self.add(kind)

    def add(self, kind: Kind) -> None:
        """Register *kind*, in the place of another one of the same key.

        Raises:
            ConfigInvalid: It lacks something that every kind has: it was written for another version.
        """
        promised = {name: of_all for name, of_all in vars(Kind).items() if not name.startswith("_")}
        lacks = [
            name
            for name, of_all in promised.items()
            if not hasattr(kind, name) or getattr_static(kind, name, None) is of_all  # inherited, and never written
        ]
        if lacks:
            raise ConfigInvalid(setting="kinds", problem=f"have a {type(kind).__name__} without {', '.join(lacks)}")
        self._kinds[kind.key] = kind

    def get(self, key: str) -> Kind | None:
        """Return the kind, or none."""
        return self._kinds.get(key)

    def may_connect(self, organization: OrganizationId, key: str) -> bool:
        """Tell whether *organization* may set up a provider of the kind *key*."""
        return self._connects is None or self._connects(organization, key)

    def may_provision(self, organization: OrganizationId, key: str) -> bool:
        """Tell whether the provider of *organization*, of the kind *key*, may make and remove members by itself."""
        return self._provisions is not None and self._provisions(organization, key)

    def __iter__(self) -> Iterator[Kind]:
        """Iterate over the kinds, in the order of their keys."""
        return iter([self._kinds[key] for key in sorted(self._kinds)])
