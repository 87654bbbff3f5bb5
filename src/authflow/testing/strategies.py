"""Hypothesis strategies for what reaches a host from outside: codes, addresses, contexts, session values, time."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import attrs
from hypothesis import strategies as st

from authflow.values import BrowserSession, Context, Secret, SessionId, UserId

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

FULL_WIDTH: Final = {ord("0") + n: 0xFF10 + n for n in range(10)}
ARABIC_INDIC: Final = {ord("0") + n: 0x0660 + n for n in range(10)}
MATHEMATICAL: Final = {ord("0") + n: 0x1D7CE + n for n in range(10)}
"""Digits that ``int`` reads, and that no authenticator app shows."""

LOOKALIKES: Final = {
    "a": "\u0430",
    "e": "\u0435",
    "o": "\u043e",
    "i": "\u0131",
    "k": "\u212a",
    "s": "\u017f",
    "c": "\u0441",
}
"""Letters that look like, or fold to, an ASCII letter and are none: Cyrillic, dotless i, the Kelvin sign, long s."""

INVISIBLE: Final = ("\x00", "\ud800", "\udfff", "\u200b", "\u202e", "\ufeff", "\x7f", "\r\n")
"""What nobody types: NUL, halves of a character, zero widths, a change of direction, control characters."""

OVERSIZED: Final = 10_000


def hostile_texts() -> SearchStrategy[str]:
    """Texts that a form field, a link or a cookie may hold, and that no identifier, code or address is."""
    nasty = st.sampled_from(["", " ", "\t\n", "null", "None", "0", "-1", "' OR 1=1 --", "../..", "%00", "{}", "[]"])
    dirty = st.tuples(st.text(max_size=20), st.sampled_from(INVISIBLE)).map("".join)
    long = st.sampled_from(["n", "\u00fc", "\U0001f511", "\x00"]).map(lambda c: c * OVERSIZED)
    return st.one_of(nasty, dirty, long, st.text(st.characters(), max_size=80))


# --- codes ------------------------------------------------------------------------------------------------------------


def typed(code: str) -> SearchStrategy[str]:
    """Ways in which a person types the right *code*: with blanks and hyphens, before, between and behind."""
    gaps = st.lists(st.sampled_from(["", "", "", " ", "-"]), min_size=len(code), max_size=len(code))
    return gaps.map(lambda between: "".join(f"{gap}{c}" for gap, c in zip(between, code, strict=True))).filter(
        lambda text: len(text) <= len(code) + 6
    )


def malformed_codes(code: str) -> SearchStrategy[str]:
    """Texts that hold *code* and are none: foreign digits, signs, invisible characters, wrong lengths."""
    foreign = st.sampled_from([FULL_WIDTH, ARABIC_INDIC, MATHEMATICAL]).map(code.translate)
    marked = st.sampled_from(INVISIBLE[:-1]).flatmap(lambda m: st.sampled_from([f"{m}{code}", f"{code}{m}"]))
    lengths = st.sampled_from([code[:-1], f"0{code}", code * 2, code * OVERSIZED, f"+{code}", f"{code}.0", f"0x{code}"])
    return st.one_of(foreign, marked, lengths, st.sampled_from(["", " ", "-", "\u2003"]))


def wrong_codes(*right: str) -> SearchStrategy[str]:
    """Six digits that are none of *right*."""
    return st.integers(0, 999_999).map(lambda n: f"{n:06}").filter(lambda code: code not in right)


def recovery_codes() -> SearchStrategy[str]:
    """Well-formed recovery codes, which nobody was given: 80 bits are not guessed."""
    digits = st.text("0123456789ABCDEFGHJKMNPQRSTVWXYZ", min_size=16, max_size=16)
    return digits.map(lambda code: "-".join(code[at : at + 4] for at in range(0, 16, 4)))


# --- addresses --------------------------------------------------------------------------------------------------------


def addresses() -> SearchStrategy[str]:
    """Addresses of one mailbox each."""
    local = st.text("abcdefghijklmnopqrstuvwxyzABCDEFGHIJ0123456789+_-", min_size=1, max_size=20)
    domain = st.text("abcdefghijklmnopqrstuvwxyz0123456789", min_size=1, max_size=12)
    return st.tuples(local, domain).map(lambda parts: f"{parts[0]}@{parts[1]}.example")


def same_mailboxes(address: str) -> SearchStrategy[str]:
    """Other spellings of *address*, equal but for ASCII letter case."""
    flips = st.lists(st.booleans(), min_size=len(address), max_size=len(address))
    return flips.map(
        lambda up: "".join(c.upper() if flip and c.isascii() else c for c, flip in zip(address, up, strict=True))
    )


def confusables(address: str) -> SearchStrategy[str]:
    """Addresses that look like *address*, or fold to it in Unicode, and are another mailbox (CVE-2019-19844)."""
    places = [(at, LOOKALIKES[c]) for at, c in enumerate(address) if c in LOOKALIKES]
    swapped = [f"{address[:at]}{other}{address[at + 1 :]}" for at, other in places]
    name, _, host = address.partition("@")
    around = [f"{address}.evil.example", f"{name}@evil.example", f"{name}+x@{host}", f"{address}\u200b", f" {address}"]
    return st.sampled_from([*swapped, *around, f"{name}\uff20{host}", f"{address},eve@evil.example"])


def not_addresses() -> SearchStrategy[str]:
    """Texts that no mail is sent to."""
    shapes = ["a", "@", "a@", "@b", "a@b@c", "a b@c", "a@b,c@d", "a@b;c@d", '"a"@b', "<a@b>", ".a@b", "a..b@c", "a@b."]
    marked = st.sampled_from(INVISIBLE).map(lambda mark: f"ada{mark}@example.com")
    long = st.sampled_from([f"{'n' * 65}@example.com", f"ada@{'n' * 250}.example", "n" * OVERSIZED, "\u00fc" * 200])
    return st.one_of(st.sampled_from(shapes), marked, long)


# --- identifiers, contexts, time --------------------------------------------------------------------------------------


def not_identifiers() -> SearchStrategy[str]:
    """Texts that are no identifier: empty, too long, with blanks, not ASCII, not printable."""
    shapes = ["", " ", "a b", "n" * 65, "n" * OVERSIZED, "\u00fcmlaut", "\uff41\uff42\uff43", "tab\tbed", "line\nbreak"]
    return st.one_of(st.sampled_from(shapes), st.sampled_from(INVISIBLE).map(lambda mark: f"acme{mark}"))


def contexts() -> SearchStrategy[Context]:
    """What a browser and a proxy say of themselves: anything at all."""
    text = st.none() | hostile_texts() | st.sampled_from(["192.0.2.7", "2001:db8::1", "Firefox"])
    return st.builds(Context, ip=text, user_agent=text, request_id=text)


def clock_moves() -> SearchStrategy[timedelta]:
    """How a clock moves between two commands: a little, over every lifetime of the library, and back."""
    lives = [
        timedelta(seconds=1),
        timedelta(seconds=20),
        timedelta(seconds=30),
        timedelta(minutes=5),
        timedelta(minutes=10),
        timedelta(minutes=15),
        timedelta(hours=1),
        timedelta(days=1),
        timedelta(days=30),
    ]
    near = st.integers(-1, 1).map(lambda n: timedelta(microseconds=n))
    past = st.tuples(st.sampled_from(lives), near).map(lambda pair: pair[0] + pair[1])
    return st.one_of(past, st.integers(-90, 90).map(lambda n: timedelta(seconds=n)))


# --- sessions ---------------------------------------------------------------------------------------------------------


def tampered(session: BrowserSession) -> SearchStrategy[BrowserSession]:
    """Values like *session* of which one field is not what authflow gave."""
    another = hostile_texts()
    return st.one_of(
        another.filter(lambda text: text != session.id).map(lambda text: attrs.evolve(session, id=SessionId(text))),
        another.filter(lambda text: text != session.secret.reveal()).map(
            lambda text: attrs.evolve(session, secret=Secret(text))
        ),
        st.integers(-(2**70), 2**70)
        .filter(lambda number: number != session.generation)
        .map(lambda number: attrs.evolve(session, generation=number)),
    )


def relabelled(session: BrowserSession) -> SearchStrategy[BrowserSession]:
    """Values that open the row of *session* and lie about what is only cached: whose it is, and whether to renew."""
    owner = st.none() | hostile_texts().map(UserId)
    lies = st.tuples(owner, st.booleans())
    return lies.map(lambda lie: attrs.evolve(session, user=lie[0], renew=lie[1]))


def garbage() -> SearchStrategy[Any]:
    """JSON that a cookie may hold and that nobody of ours wrote."""
    scalar = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
    tree = st.recursive(
        scalar, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    )
    fields = st.fixed_dictionaries({"id": scalar, "secret": scalar, "generation": scalar}, optional={"user": scalar})
    return tree | fields
