"""A factor's state as a row of the database: what is stored today is read by every later version."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, get_args

import pytest

from authflow.adapters.sql import mfa_state
from authflow.errors import SchemaTooNew
from authflow.mfa.factor import Factor, Rotating, Unenrolled
from authflow.mfa.recovery import NoCodes, Recovery
from authflow.testing.contracts.factors import FACTORS, RECOVERIES, ROTATING
from authflow.testing.samples.mfa import ENROLLED, PROPOSED, READY
from authflow.testing.samples.mfa import ROTATING as BOTH

DIGEST = "e865168f04ce2eb66741c2d97d2e4909bc180ed2f785b1d0a5b3bc447d7812ab"
PROVEN = (
    '"authenticator":["authenticator-1","My phone",1767222000000000,1767225300000000,'
    '["k1","c2VhbGVkIG9sZA=="],58907510]'
)
WAITING = (
    f'"proposal":["{DIGEST}","browser-1","authenticator-1",["k1","c2VhbGVkIG5ldw=="],1767225600000000,1767226200000000]'
)
UNTIL = 1767226200000000

# state: tag, authenticator, sealing key, when the proposal expires, document
ROWS: list[tuple[Any, tuple[Any, ...]]] = [
    (Unenrolled(), ("unenrolled", None, None, None, "{}")),
    (PROPOSED, ("proposed", None, None, UNTIL, f"{{{WAITING}}}")),
    (ENROLLED, ("enrolled", "authenticator-1", "k1", None, f"{{{PROVEN}}}")),
    (BOTH, ("rotating", "authenticator-1", "k1", UNTIL, f"{{{PROVEN},{WAITING}}}")),
    (NoCodes(), ("no_codes", None, None, None, "{}")),
    (READY, ("ready", "codes-1", None, None, '{"ready":[1767222000000000,null,10]}')),
]
"""Rows of format 1, literally: these stand in databases."""

COLUMNS = ("state", "authenticator", "sealing_key", "proposal_expires_at", "data")


def row(state: Any) -> Any:
    """Return *state* as a database gives it back."""
    return SimpleNamespace(**mfa_state.dump(state))


def test_every_state_has_a_tag_of_its_own() -> None:
    """They are stored, so they never change; the unions of states and the tags name the same classes."""
    assert sorted(mfa_state.TAGS.values()) == ["enrolled", "no_codes", "proposed", "ready", "rotating", "unenrolled"]
    assert set(mfa_state.TAGS) == {*get_args(Factor), *get_args(Recovery)}


@pytest.mark.parametrize(("state", "stored"), ROWS, ids=[stored[0] for _, stored in ROWS])
def test_a_row_of_format_one_is_what_it_was(state: Any, stored: tuple[Any, ...]) -> None:
    values = dict(zip(COLUMNS, stored, strict=True))
    assert mfa_state.dump(state) == {**values, "format": 1}
    assert mfa_state.load(SimpleNamespace(**values, format=1)) == state


@pytest.mark.parametrize("state", [*FACTORS.values(), *RECOVERIES.values()])
def test_a_state_is_read_as_it_was_stored(state: Any) -> None:
    assert mfa_state.load(row(state)) == state


def test_a_row_of_a_newer_library_is_not_guessed_at() -> None:
    newer = row(ROTATING)
    newer.format += 1
    with pytest.raises(SchemaTooNew):
        mfa_state.load(newer)


def test_a_seal_that_is_no_base64_opens_under_no_key_and_spoils_nothing_else() -> None:
    damaged = row(BOTH)
    damaged.data = damaged.data.replace("c2VhbGVkIG9sZA==", "c2VhbGVkIG9sZA=")
    state = mfa_state.load(damaged)
    assert isinstance(state, Rotating)
    assert state.authenticator.secret.ciphertext == b""
    assert state.proposal == BOTH.proposal
