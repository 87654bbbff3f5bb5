"""A pipeline as a row of the database: what is stored today is read until its hour is over."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, Final, get_args

import attrs
import pytest

from authflow.adapters.sql import pipeline_state
from authflow.sso.identity import Identity, Subject
from authflow.sso.progress import Login, Over, Why
from authflow.sso.setup import Proposed, Setup, Tried
from authflow.testing.contracts.pipelines import states
from authflow.testing.samples.links import identity
from authflow.testing.samples.pipelines import HANDLE, STATE, away, opened
from authflow.values import Sealed

SEALED: Final = Sealed(key_id="k1", ciphertext=b"sealed")
SAID: Final = identity(legacy=Subject("old"), email_verified=True, memory=SEALED)
DIGEST: Final = "4ba69735ca53765ed6a709edb56c6ea236b7193a3b29a6b390c346f0f4340e4e"
TOKEN: Final = "3c469e9d6c5875d37a43f353d4f88e61fcf812c66eee3457465a40b0da4153e0"
SEAL: Final = '["k1","c2VhbGVk"]'
WHO: Final = (
    '"identity":{"organization":"acme","provider":"acme-idp","subject":"00u1","legacy":"old","email":"ada@example.org",'
    f'"email_verified":true,"name":"Ada","at":1767225600000000,"memory":{SEAL}}}'
)
WHERE: Final = '"address":"ada@example.org"'

ROWS: Final[list[tuple[Any, str, str | None, str]]] = [
    (away(request=SEALED), "away", None, f'{{"state":"{DIGEST}","request":{SEAL}}}'),
    (
        Proposed(handle=HANDLE, state=STATE, request=SEALED, proposal=SEALED),
        "proposed",
        None,
        f'{{"state":"{DIGEST}","request":{SEAL},"proposal":{SEAL}}}',
    ),
    (Tried(handle=HANDLE, identity=SAID, proposal=SEALED), "tried", None, f'{{"proposal":{SEAL},{WHO}}}'),
    *(
        (attrs.evolve(state, identity=SAID), *stored)
        for state, stored in zip(
            opened(),
            (
                ("identified", None, f"{{{WHO}}}"),
                ("proof_mailed", "ada", f'{{{WHO},"token":"{TOKEN}","expires_at":1767226200000000}}'),
                ("proven", "ada", f"{{{WHO}}}"),
                ("address_mailed", None, f'{{{WHO},"token":"{TOKEN}",{WHERE}}}'),
                ("address_proven", None, f"{{{WHO},{WHERE}}}"),
            ),
            strict=True,
        )
    ),
    (Over(handle=HANDLE, why=Why.ABANDONED), "over", None, '{"why":"abandoned"}'),
]
"""Rows of format 1, literally: these stand in databases."""


def test_every_state_has_a_tag_of_its_own():
    """They are stored, so they never change; the unions of states and the tags name the same classes."""
    every = {kind for union in (*get_args(Login), *get_args(Setup)) for kind in (get_args(union) or (union,))}
    assert set(pipeline_state.TAGS) == every == {type(state) for state in states()}
    assert sorted(pipeline_state.TAGS.values()) == sorted({tag for _, tag, _, _ in ROWS})


def test_every_field_is_stored():
    """A field that a state or an identity gets must be written, or a pipeline forgets it on its way."""
    fields = {field.name for kind in pipeline_state.TAGS for field in attrs.fields(kind)}
    assert fields == {"handle", "user", *pipeline_state.FIELDS}
    assert {field.name for field in attrs.fields(Identity)} == set(pipeline_state.IDENTITY)


@pytest.mark.parametrize(("state", "tag", "user", "document"), ROWS, ids=[tag for _, tag, _, _ in ROWS])
def test_a_row_of_format_one_is_what_it_was(state: Any, tag: str, user: str | None, document: str):
    stored = {"state": tag, "user_id": user, "format": 1, "data": document}
    assert pipeline_state.dump(state) == stored
    row = SimpleNamespace(**pipeline_state.dump_handle(HANDLE), **stored)
    assert pipeline_state.load(row) == state


def test_a_row_in_another_format_is_none():
    """Whoever was on the way while the library was upgraded, or taken back, begins again."""
    stored = {**pipeline_state.dump_handle(HANDLE), **pipeline_state.dump(away()), "format": 2, "data": "?"}
    assert pipeline_state.load(SimpleNamespace(**stored)) is None
