"""Turns facts into rows: the audit entries, messages and mails that the table of facts states, in the same commit.

Services hand over the facts of a step; nothing else in the library writes to the audit log or the outbox.
"""

from __future__ import annotations

import base64
import json
from itertools import accumulate
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

import attrs

from authflow.errors import MessageInvalid, UnknownCategory, UnknownOrganization
from authflow.facts.records import PAYLOAD_MAX, AuditEntry, Category, Message, Scalar, Scope
from authflow.facts.row import LANES
from authflow.facts.table import RECORDS, SCOPES, About
from authflow.values import new_identifier

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from authflow.facts.table import Records
    from authflow.machine import Fact
    from authflow.ports import Cipher, Entropy, Organization, Transaction
    from authflow.values import Address, Asker, Context, OrganizationId, ProjectId, Secret, UserId

T = TypeVar("T")

IP_MAX: Final = 64
USER_AGENT_MAX: Final = 512
REQUEST_ID_MAX: Final = 128
LABEL_MAX: Final = 128
"""What stands in an audit entry for people to read is cut to these; what is compared never is."""

NAME_MAX: Final = 256
"""Bytes of JSON of a name in a mail: beside the longest addresses it leaves room for everything else."""


@attrs.frozen(kw_only=True)
class Origin:
    """Who gave the command, from where, and when: what every row of one command shares."""

    asker: Asker
    context: Context
    now: datetime


@attrs.frozen(kw_only=True)
class Recorder:
    """Writes what the facts of one command record. *security_project* receives the events about persons."""

    cipher: Cipher
    entropy: Entropy
    security_project: ProjectId | None = None

    def record(self, tx: Transaction, facts: Sequence[Fact], *, asker: Asker, context: Context, now: datetime) -> None:
        """Store everything *facts* record: one call for the entries, one for the messages."""
        origin = Origin(asker=asker, context=context, now=now)
        entries: list[AuditEntry] = []
        messages: list[Message] = []
        for fact in facts:
            row = RECORDS[type(fact)]
            if row.audit is not None:
                entries.append(self._entry(fact, row, origin))
            messages.extend(self._messages(tx, fact, row, origin))
        for message in messages:
            check_message(message)
        if entries:
            tx.audit.append(entries)
        if messages:
            tx.outbox.append(messages)

    def _mint(self) -> str:
        return new_identifier(self.entropy.random_bytes(16))

    def _entry(self, fact: Fact, row: Records, origin: Origin) -> AuditEntry:
        context = origin.context
        return AuditEntry(
            id=self._mint(),
            at=origin.now,
            event=_present(row.audit),
            actor=origin.asker.user,
            actor_label=legible(origin.asker.label, LABEL_MAX),
            organization=_of(fact, "organization") if row.about is About.ORGANIZATION else None,
            target_user=_of(fact, "user"),
            target=None if row.target is None else _of(fact, row.target),
            session=origin.asker.session or None,
            ip=None if context.ip is None else legible(context.ip, IP_MAX),
            user_agent=None if context.user_agent is None else legible(context.user_agent, USER_AGENT_MAX),
            request_id=None if context.request_id is None else legible(context.request_id, REQUEST_ID_MAX),
            data=_fields(fact, row),
        )

    def _messages(self, tx: Transaction, fact: Fact, row: Records, origin: Origin) -> Iterator[Message]:
        organization = _organization(tx, fact, row)
        if row.signal is not None:
            yield from self._signals(_present(organization), fact, row, origin)
        if row.message is not None:
            yield self._announcement(fact, row, origin)
        if row.mail is not None:
            yield from self._mails(tx, fact, row, origin, organization)
        project = self.security_project if organization is None else organization.security_project
        if row.audit is not None and project is not None:
            yield self._security_event(project, fact, row, origin)

    def _message(
        self,
        origin: Origin,
        *,
        scope: Scope,
        shard: str,
        category: Category,
        payload: dict[str, Scalar],
        destination: str | None = None,
        key: str | None = None,
        about: str | None = None,
        expires_at: datetime | None = None,
    ) -> Message:
        key = key or self._mint()
        return Message(
            id=key,
            scope=scope,
            shard=shard,
            category=category,
            object=about or key,
            destination=destination,
            payload=payload,
            at=origin.now,
            due_at=origin.now,
            expires_at=expires_at,
        )

    def _signals(self, organization: Organization, fact: Fact, row: Records, origin: Origin) -> Iterator[Message]:
        if not organization.regions:
            detail = f"[{organization.id}]"
            raise UnknownOrganization(detail)
        args = {f"arg.{name}": _of(fact, field) for name, field in row.args.items()}
        for region in organization.regions:
            yield self._message(
                origin,
                scope=Scope.ORGANIZATION,
                shard=organization.id,
                category=Category.SIGNAL,
                destination=region,
                payload={"signal": int(_present(row.signal)), **args},
            )

    def _announcement(self, fact: Fact, row: Records, origin: Origin) -> Message:
        scope, owner = LANES[row.about]
        return self._message(
            origin,
            scope=scope,
            shard=_of(fact, owner),
            category=_present(row.message),
            about=_of(fact, row.object) if row.object else None,
            payload={"target": _of(fact, row.target) if row.target else None, **_fields(fact, row)},
        )

    def _mails(
        self, tx: Transaction, fact: Fact, row: Records, origin: Origin, organization: Organization | None
    ) -> Iterator[Message]:
        secret = cast("Secret | None", _of(fact, row.secret)) if row.secret else None
        place = organization or (tx.organizations.get(_of(fact, "organization")) if row.names_organization else None)
        for to in _recipients(tx, fact):
            key = self._mint()
            payload: dict[str, Scalar] = {
                "mail": row.mail,
                "to": to,
                **_fields(fact, row),
                **_origin_fields(row, origin),
            }
            payload["target"] = _of(fact, row.target) if row.target else None
            if place is not None:
                payload["organization_name"] = shown(place.name or place.slug)
            if secret is not None:
                sealed = self.cipher.seal(secret, bound_to=mail_binding(key, to))
                payload |= {"key_id": sealed.key_id, "sealed": base64.b64encode(sealed.ciphertext).decode()}
            person = row.about is About.PERSON
            yield self._message(
                origin,
                key=key,
                scope=Scope.USER if person else Scope.ORGANIZATION,
                shard=_of(fact, "user" if person else "organization"),
                category=Category.MAIL,
                payload=_fitting(payload),
                expires_at=_of(fact, "expires_at") if secret is not None else None,
            )

    def _security_event(self, project: ProjectId, fact: Fact, row: Records, origin: Origin) -> Message:
        """Id and timestamp of the event are fixed here, so that a second delivery saves the identical event."""
        return self._message(
            origin,
            scope=Scope.PROJECT,
            shard=project,
            category=Category.SECURITY_EVENT,
            payload={
                "event_id": self.entropy.random_bytes(16).hex(),
                "timestamp": origin.now.isoformat(),
                "event": _present(row.audit),
                "user": _of(fact, "user"),
                "target": _of(fact, row.target) if row.target else None,
                **{f"data.{name}": value for name, value in _fields(fact, row).items() if name not in MAILBOXES},
            },
        )


MAILBOXES: Final = frozenset({"email", "address"})
"""Fields that hold an address: a log keeps them, and an event names people by their ids alone (decision 38)."""


def mail_binding(message: str, recipient: str) -> tuple[str, str, str]:
    """Return what a mail's sealed secret is bound to: this message and this recipient (decision 37)."""
    return ("mail", message, recipient)


def check_message(message: Message) -> None:
    """Refuse a message that no relay could deliver.

    Raises:
        UnknownCategory: The category is not registered for this scope.
        MessageInvalid: A key field is empty, or the payload is over 4 KiB of JSON.
    """
    if message.scope not in SCOPES.get(message.category, frozenset()):
        detail = f"[{message.category!r} in {message.scope!r}]"
        raise UnknownCategory(detail)
    if not message.id or not message.shard or not message.object:
        detail = "[id, shard and object must not be empty]"
        raise MessageInvalid(detail)
    if _size(dict(message.payload)) > PAYLOAD_MAX:
        detail = f"[payload over {PAYLOAD_MAX} bytes]"
        raise MessageInvalid(detail)


def legible(text: str, longest: int) -> str:
    """Return *text*, which a browser or proxy may have sent, as every database stores it.

    Cut to *longest* characters, without NUL, a question mark for each lone surrogate.
    """
    return text.encode("utf-8", "replace").decode().replace("\x00", "")[:longest]


def shown(name: str) -> str:
    """Return *name* as a mail may show it, also in its subject: one line, cut to `NAME_MAX` bytes of JSON.

    What a person or an organization is called comes from outside: controls and line separators are blanks.
    """
    line = name[:NAME_MAX]
    return _cut(line if line.isprintable() else "".join(c if c.isprintable() else " " for c in line), NAME_MAX)


def _size(value: object) -> int:
    return len(json.dumps(value))


def _cut(text: str, longest: int) -> str:
    """Return the longest beginning of *text* that is at most *longest* bytes inside of a JSON string."""
    quotes = _size("")
    if _size(text) - quotes <= longest:
        return text
    sizes = accumulate(_size(character) - quotes for character in text)
    return "".join(character for character, size in zip(text, sizes, strict=True) if size <= longest)


def _fitting(payload: dict[str, Scalar]) -> dict[str, Scalar]:
    """Return a mail's *payload* with as many teams as there is room for: the invitation itself has them all."""
    teams = payload.get("teams")
    if not isinstance(teams, str):
        return payload
    fits = _cut(teams, PAYLOAD_MAX - _size({**payload, "teams": ""}))
    return payload if fits == teams else {**payload, "teams": fits.rpartition(",")[0]}


def _present(value: T | None) -> T:
    if value is None:
        detail = "[a required part is missing]"
        raise MessageInvalid(detail)
    return value


def _of(fact: Fact, field: str) -> Any:  # noqa: ANN401  # whatever the fact says its field is
    return getattr(fact, field, None)


def _fields(fact: Fact, row: Records) -> dict[str, Scalar]:
    return {name: _of(fact, name) for name in row.fields}


def _origin_fields(row: Records, origin: Origin) -> dict[str, Scalar]:
    """Say when, by whom and from where; of an organization's people nobody learns the address (decision 38)."""
    ip = origin.context.ip if row.about is About.PERSON else None
    return {
        "at": origin.now.isoformat(timespec="seconds"),
        "ip": None if ip is None else legible(ip, IP_MAX),
        "actor": shown(origin.asker.label) or None,
    }


def _organization(tx: Transaction, fact: Fact, row: Records) -> Organization | None:
    if row.about is not About.ORGANIZATION:
        return None
    key: OrganizationId = _of(fact, "organization")
    found = tx.organizations.get(key)
    if found is None:
        detail = f"[{key}]"
        raise UnknownOrganization(detail)
    return found


def _recipients(tx: Transaction, fact: Fact) -> tuple[Address, ...]:
    """Recipients are fixed in the command's transaction (decision 37)."""
    named: tuple[Address, ...] | None = _of(fact, "recipients")
    if named is not None:
        return named
    user: UserId = _of(fact, "user")
    person = tx.users.get(user)
    return () if person is None else person.verified_addresses()
