"""What is stored of a pipeline: a sealed document, which is read until its hour is over, and only under its key."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, get_args

import attrs
import pytest

from authflow.adapters.keys import KeyRing
from authflow.adapters.memory.unit_of_work import MemoryUnitOfWork
from authflow.errors import Code
from authflow.journey.providers.answers import ProviderTried
from authflow.journey.sso.answers import ChoiceOwed, SignedOn
from authflow.sso import documents
from authflow.sso.case import Choice
from authflow.sso.identity import Identity, Subject
from authflow.sso.pipeline import PipelineId
from authflow.sso.progress import Login, Over, Why
from authflow.sso.sealing import Vault, canonical, state_binding
from authflow.sso.service.pipelines import read_key
from authflow.sso.setup import Proposed, Setup, Tried
from authflow.testing.browsers import Browser
from authflow.testing.samples.links import identity
from authflow.testing.samples.pipelines import HANDLE, STATE, away, opened, unconfirmed
from authflow.values import OrganizationId, Refused, Sealed
from tests.journey.sso_stage import SsoStage, Trip
from tests.test_canaries import found

if TYPE_CHECKING:
    from authflow.sso.ports import SealedPipeline
    from authflow.values import Secret

# --- the document -----------------------------------------------------------------------------------------------------

SEALED: Final = Sealed(key_id="k1", ciphertext=b"sealed")
SAID: Final = identity(
    subject=Subject("\N{PILE OF POO}\u200d "),
    legacy=Subject("old"),
    email_verified=True,
    name="\x00\ud800 A",
    memory=SEALED,
)
LITTLE: Final = identity(email=None, name="")
DIGEST: Final = "4ba69735ca53765ed6a709edb56c6ea236b7193a3b29a6b390c346f0f4340e4e"
TOKEN: Final = "3c469e9d6c5875d37a43f353d4f88e61fcf812c66eee3457465a40b0da4153e0"
SEAL: Final = '["k1","c2VhbGVk"]'
WHO: Final = (
    '"identity":{"at":"2026-01-01T00:00:00+00:00","email":"ada@example.org","email_verified":true,"legacy":"old",'
    rf'"memory":{SEAL},"name":"\u0000\ud800 A","organization":"acme","provider":"acme-idp",'
    r'"subject":"\ud83d\udca9\u200d "}'
)

DOCUMENTS: Final[list[tuple[Any, str, str]]] = [
    (away(request=SEALED), "away", f'"request":{SEAL},"state":"{DIGEST}"'),
    (
        Proposed(handle=HANDLE, state=STATE, request=SEALED, proposal=SEALED),
        "proposed",
        f'"proposal":{SEAL},"request":{SEAL},"state":"{DIGEST}"',
    ),
    (Tried(handle=HANDLE, identity=SAID, proposal=SEALED), "tried", f'{WHO},"proposal":{SEAL}'),
    *(
        (attrs.evolve(state, identity=SAID), *stored)
        for state, stored in zip(
            opened(),
            (
                ("identified", WHO),
                ("proof_mailed", f'"expires_at":"2026-01-01T00:10:00+00:00",{WHO},"token":"{TOKEN}","user":"ada"'),
                ("proven", f'{WHO},"user":"ada"'),
                ("address_mailed", f'"address":"ada@example.org",{WHO},"token":"{TOKEN}"'),
                ("address_proven", f'"address":"ada@example.org",{WHO}'),
            ),
            strict=True,
        )
    ),
    (attrs.evolve(unconfirmed(), identity=SAID), "unconfirmed", WHO),
    (Over(handle=HANDLE, why=Why.ABANDONED), "over", '"why":"abandoned"'),
]
"""Documents of format 1, literally: these stand in databases, behind their seals."""


def test_every_state_has_a_tag_of_its_own():
    """They are stored, so they never change; the unions of states and the tags name the same classes."""
    every = {kind for union in (*get_args(Login), *get_args(Setup)) for kind in (get_args(union) or (union,))}
    assert set(documents.TAGS) == every == {type(state) for state, _, _ in DOCUMENTS}
    assert sorted(documents.TAGS.values()) == sorted({tag for _, tag, _ in DOCUMENTS})


def test_every_field_is_stored():
    """A field that a state or an identity gets must be written, or a pipeline forgets it on its way."""
    fields = {field.name for kind in documents.TAGS for field in attrs.fields(kind)}
    assert fields == {"handle", *documents.FIELDS}
    assert {field.name for field in attrs.fields(Identity)} == set(documents.IDENTITY)


@pytest.mark.parametrize(("state", "tag", "fields"), DOCUMENTS, ids=[tag for _, tag, _ in DOCUMENTS])
def test_a_document_of_format_one_is_what_it_was(state: Any, tag: str, fields: str):
    stored = f'{{"fields":{{{fields}}},"format":1,"state":"{tag}"}}'
    assert canonical(documents.write(state)) == stored
    assert documents.read(HANDLE, json.loads(stored)) == state


def test_what_was_not_said_stays_unsaid():
    for state in (*opened(), *(Over(handle=HANDLE, why=why) for why in Why)):
        said = attrs.evolve(state, identity=LITTLE) if not isinstance(state, Over) else state
        assert documents.read(HANDLE, json.loads(canonical(documents.write(said)))) == said


# --- its row ----------------------------------------------------------------------------------------------------------

ADDRESS: Final = "kanary-address-7f31@example.com"
NAME: Final = "Kanary Name 7f31"


def staged(uow: Any) -> SsoStage:
    """Return a stage with the organization ``acme``, whose provider knows somebody whom nobody here does."""
    stage = SsoStage(uow)
    stage.connect(stage.organization())
    stage.idp.person("00u1", email=ADDRESS, name=NAME)
    return stage


def waiting(stage: SsoStage) -> Trip:
    """Return a sign-in that waits at its page for them to choose."""
    trip = stage.come(Browser(), OrganizationId("acme"), "00u1")
    assert isinstance(trip.answer, ChoiceOwed), trip.answer
    assert (trip.answer.email, trip.answer.name) == (ADDRESS, NAME)
    return trip


def key_of(pipeline: Secret) -> PipelineId:
    return PipelineId(read_key(pipeline.reveal()) or "")


def stored(stage: SsoStage, trip: Trip) -> SealedPipeline:
    with stage.uow.begin() as tx:
        row: SealedPipeline = tx.pipelines.load(key_of(trip.pipeline)).state
        return row


def put(stage: SsoStage, trip: Trip, state: Sealed) -> None:
    """Write *state* into the row of *trip*, as somebody does who has the database."""
    with stage.uow.begin() as tx:
        row = tx.pipelines.load(key_of(trip.pipeline))
        tx.pipelines.save(attrs.evolve(row.state, state=state), expected=row.version)


def test_who_was_identified_stands_in_no_column(sqlite_uow: Any):
    """While a sign-in waits for its person, the database can say neither their address nor their name."""
    trip = waiting(staged(sqlite_uow))
    file = Path(str(sqlite_uow.engine.url.database))
    written = b"".join(part.read_bytes() for part in sorted(file.parent.glob(f"{file.name}*"))).lower()
    assert found(key_of(trip.pipeline), written)
    assert [text for text in (ADDRESS, NAME) if found(text, written)] == []


@pytest.fixture
def stage() -> SsoStage:
    return staged(MemoryUnitOfWork())


def test_a_state_does_not_open_in_the_row_of_another(stage: SsoStage, caplog: pytest.LogCaptureFixture):
    """Whoever copies a row over another gets nobody's identity into their own browser."""
    theirs, mine = waiting(stage), waiting(stage)
    put(stage, mine, stored(stage, theirs).state)
    begins_again(mine, caplog, "authflow.keys")
    assert isinstance(theirs.look(), ChoiceOwed)


def test_a_state_whose_key_is_gone_is_no_pipeline(stage: SsoStage, caplog: pytest.LogCaptureFixture):
    trip = waiting(stage)
    stage.flows = stage.open(KeyRing.generate(stage.entropy, stage.clock.now()))
    begins_again(trip, caplog, "authflow.keys")


def test_a_state_in_another_format_is_no_pipeline(stage: SsoStage, caplog: pytest.LogCaptureFixture):
    """Whoever was on the way while the library was upgraded, or taken back, begins again."""
    trip = waiting(stage)
    put(stage, trip, Vault(stage.cipher).seal({"format": 2, "whatever": 1}, state_binding(key_of(trip.pipeline))))
    begins_again(trip, caplog, "authflow.sso")


def rotated_away(stage: SsoStage, trip: Trip) -> None:
    """Lose the key that *trip* began under, after its row alone was sealed anew: what is sealed in it stays behind."""
    lost, row, binding = stage.ring.active.id, stored(stage, trip), state_binding(key_of(trip.pipeline))
    document = Vault(stage.cipher).open(row.state, binding)
    stage.ring = stage.ring.rotate(stage.entropy, stage.clock.now())
    put(stage, trip, Vault(stage.cipher).seal(document, binding))
    stage.ring = stage.ring.retire(lost)
    stage.flows = stage.open(stage.ring)


def test_a_request_whose_key_is_gone_is_no_pipeline(stage: SsoStage, caplog: pytest.LogCaptureFixture):
    trip = stage.start(Browser(), OrganizationId("acme"))
    rotated_away(stage, trip)
    begins_again(trip, caplog, "authflow.keys")


@pytest.mark.parametrize("back", [False, True], ids=["proposed", "tried"])
def test_a_proposal_whose_key_is_gone_is_no_pipeline(stage: SsoStage, caplog: pytest.LogCaptureFixture, *, back: bool):
    umbrella = stage.organization("umbrella")
    olga = stage.owner(umbrella)
    asked = {"organization": umbrella, "kind": "fake", "settings": {"client_secret": "hush"}}
    trip = Trip(stage, olga.browser, olga.browser.ask(stage.flows.providers.start_setup, olga.browser.context, **asked))
    if back:
        tried = {"pipeline": trip.pipeline, "callback": trip.callback("00u1")}
        trip.answer = olga.browser.ask(stage.flows.providers.resume, olga.browser.context, **tried)
        assert isinstance(trip.answer, ProviderTried), trip.answer
    rotated_away(stage, trip)
    begins_again(trip, caplog, "authflow.keys")


def test_a_memory_whose_key_is_gone_is_dropped_and_its_person_comes_in(
    stage: SsoStage, caplog: pytest.LogCaptureFixture
):
    """What asks the provider again later is no part of who somebody is; the log is told that it is lost."""
    stage.idp.secret = True
    trip, olga = waiting(stage), stage.person("olga@example.com")
    rotated_away(stage, trip)
    stage.sign_in(olga, trip.browser)
    caplog.clear()
    answer = trip.choose(Choice.LINK)
    assert isinstance(answer, SignedOn), answer
    assert [link.memory for link in stage.links_of(olga.user)] == [None]
    assert [record.name for record in caplog.records if record.levelno >= logging.WARNING] == ["authflow.keys"]


def test_a_kept_answer_whose_key_is_gone_refuses_and_waits_for_its_key(
    stage: SsoStage, caplog: pytest.LogCaptureFixture
):
    """Of a ring that one node has and another one has not: a code of ours, in both flows, and nothing is lost."""
    olga = stage.owner(stage.organization("umbrella"))
    asked = {"organization": OrganizationId("umbrella"), "kind": "fake", "settings": {}}
    begun = olga.browser.ask(stage.flows.providers.start_setup, olga.browser.context, **asked)
    login, setup = stage.start(Browser(), OrganizationId("acme")), Trip(stage, olga.browser, begun)
    former, later = stage.flows, stage.open(stage.ring.rotate(stage.entropy, stage.clock.now()))
    for trip in (login, setup):
        later.sso.keep_answer(callback=trip.callback("00u1"))
    ways = ((login, former.sso.resume, later.sso.resume), (setup, former.providers.resume, later.providers.resume))
    for trip, resume, with_key in ways:
        caplog.clear()
        answer = trip.browser.ask(resume, trip.browser.context, pipeline=trip.pipeline)
        assert isinstance(answer, Refused), answer
        assert answer.code is Code.SSO_PIPELINE_INVALID
        assert [record.name for record in caplog.records if record.levelno >= logging.WARNING] == ["authflow.keys"]
        came = trip.browser.ask(with_key, trip.browser.context, pipeline=trip.pipeline)
        assert isinstance(came, ChoiceOwed | ProviderTried), came


def begins_again(trip: Trip, caplog: pytest.LogCaptureFixture, logger: str) -> None:
    """Whatever they ask for is refused as if there were no pipeline, and the log is told once each time why."""
    flows, said = trip.stage.flows, trip.callback("00u1")
    ways = {
        trip.look: Code.SSO_PIPELINE_INVALID,
        trip.resume: Code.SSO_PIPELINE_INVALID,
        trip.mail_proof: Code.SSO_PIPELINE_INVALID,
        trip.abandon: Code.SSO_PIPELINE_INVALID,
        lambda: trip.choose(Choice.NEW_ACCOUNT): Code.SSO_PIPELINE_INVALID,
        lambda: trip.resume(said): Code.SSO_PIPELINE_INVALID,
        lambda: trip.open_link(trip.pipeline): Code.SSO_PIPELINE_INVALID,
        lambda: trip.browser.ask(flows.providers.confirm, trip.browser.context, pipeline=trip.pipeline): (
            Code.SSO_PIPELINE_INVALID
        ),
        lambda: trip.browser.ask(flows.providers.resume, trip.browser.context, pipeline=trip.pipeline): (
            Code.SSO_PIPELINE_INVALID
        ),
        lambda: trip.browser.ask(flows.providers.abandon, pipeline=trip.pipeline): Code.SSO_PIPELINE_INVALID,
        lambda: flows.sso.keep_answer(callback=said): Code.SSO_STATE_INVALID,
    }
    for way, code in ways.items():
        caplog.clear()
        answer = way()
        assert isinstance(answer, Refused), answer
        assert answer.code is code
        assert [record.name for record in caplog.records if record.levelno >= logging.WARNING] == [logger]
