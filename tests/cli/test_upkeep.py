"""``authflow relay`` and ``authflow sweep`` on real databases with real rows."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple

import pytest

from authflow import NOBODY, Authflow, Context, EventPolicy, Method, Policy, Proof
from authflow.adapters.keys import AesGcmCipher, KeyRing
from authflow.adapters.sql import schema
from authflow.adapters.sql.engine import make_engine
from authflow.adapters.sql.tables import build
from authflow.adapters.system import SystemClock, SystemEntropy
from authflow.cli import main
from authflow.events.adjacent import Project
from authflow.sso.connection import Connected, Settings
from authflow.sso.identity import Subject
from authflow.sso.links import Link
from authflow.sso.sealing import Vault, memory_binding, settings_binding
from authflow.testing import ManualClock, add_organization, add_user
from authflow.values import LinkId, OrganizationId, ProjectId, ProviderId

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import sqlalchemy as sa

PREFIX = "cli_upkeep_"
SECURITY = ProjectId("security")


class Installation(NamedTuple):
    """A database with tables, a key ring in a file, and a host that uses both."""

    url: str
    keys: Path
    engine: sa.Engine

    def open(self, clock: ManualClock | None = None) -> Authflow:
        policy = Policy(events=EventPolicy(security_project=SECURITY))
        return Authflow.open(self.engine, keys=KeyRing.load(self.keys), prefix=PREFIX, policy=policy, clock=clock)

    def run(self, command: str, *others: str) -> int:
        where = ["--database", self.url, "--prefix", PREFIX, "--keys", str(self.keys)]
        return main([command, *where, *others])


@pytest.fixture(params=["sqlite", "postgresql", "mariadb"])
def installation(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Installation]:
    on_server = request.param != "sqlite"
    url = request.getfixturevalue(f"{request.param}_url") if on_server else f"sqlite:///{tmp_path / 'app.sqlite3'}"
    engine, tables = make_engine(url), build(prefix=PREFIX)
    keys = tmp_path / "keys.json"
    KeyRing.generate(SystemEntropy(), SystemClock().now()).save(keys)
    schema.upgrade(engine, tables)
    yield Installation(url=url, keys=keys, engine=engine)
    schema.downgrade(engine, tables, to="base")
    engine.dispose()


def sign_in(flows: Authflow, address: str) -> None:
    proof = Proof(method=Method.PASSWORD, at=flows.clock.now())
    flows.sessions.establish(NOBODY, Context(), user=add_user(flows, address), proof=proof)


def send_invitation(flows: Authflow) -> None:
    """Let an owner invite somebody: a signal, a mail and an event wait afterwards."""
    organization = add_organization(flows, "acme", security_project=SECURITY)
    with flows.uow.begin() as tx:
        tx.projects.add(Project(id=SECURITY, organization=organization, slug="security", security=True))
    owner = add_user(flows, "olga@example.com")
    flows.members.add(Context(), organization=organization, user=owner, role="owner")
    proof = Proof(method=Method.PASSWORD, at=flows.clock.now())
    session = flows.sessions.establish(NOBODY, Context(), user=owner, proof=proof).session
    flows.invitations.invite(session, Context(), organization=organization, email="ada@example.com")


def counts(text: str) -> dict[str, int]:
    pairs = (line.split() for line in text.splitlines() if len(line.split()) == 2)
    return {name: int(count) for name, count in pairs if count.isdigit()}


def waiting(flows: Authflow) -> int:
    return sum(depth for _, depth in flows.outbox.depths(limit=None))


# --- relay ----------------------------------------------------------------------------------------------------------


def test_the_relay_delivers_everything_and_prints_mails(installation: Installation, capsys: pytest.CaptureFixture[str]):
    flows = installation.open()
    send_invitation(flows)
    assert waiting(flows) > 0
    assert installation.run("relay") == 0
    shown = capsys.readouterr().out
    assert "To: ada@example.com\nSubject: You are invited" in shown
    assert counts(shown)["delivered"] > 0
    assert counts(shown)["parked"] == counts(shown)["retried"] == 0
    assert waiting(flows) == 0
    assert [event.data["logentry"]["formatted"] for event in flows.events.latest(SECURITY)] == [
        "member_invite",
        "login_succeeded",
        "member_add",
    ]


def test_nothing_to_deliver_is_fine(installation: Installation, capsys: pytest.CaptureFixture[str]):
    assert installation.run("relay") == 0
    assert set(counts(capsys.readouterr().out).values()) == {0}


def test_one_pass_leaves_what_the_deliveries_write(installation: Installation, capsys: pytest.CaptureFixture[str]):
    flows = installation.open()
    send_invitation(flows)
    assert installation.run("relay", "--once") == 0
    assert counts(capsys.readouterr().out)["delivered"] > 0
    assert waiting(flows) > 0
    assert installation.run("relay") == 0
    assert waiting(flows) == 0


def test_a_mail_under_another_ring_waits(
    installation: Installation, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    flows = installation.open()
    send_invitation(flows)
    other = tmp_path / "other.json"
    KeyRing.generate(SystemEntropy(), SystemClock().now()).save(other)
    assert installation._replace(keys=other).run("relay") == 0
    shown = capsys.readouterr().out
    assert "To:" not in shown
    assert counts(shown)["retried"] == 1
    assert waiting(flows) == 1


# --- sweep ----------------------------------------------------------------------------------------------------------


def test_the_sweep_removes_what_has_expired_and_says_how_much(
    installation: Installation, capsys: pytest.CaptureFixture[str]
):
    flows = installation.open(ManualClock(SystemClock().now() - timedelta(days=90)))
    send_invitation(flows)
    sign_in(flows, "bob@example.com")
    assert installation.run("sweep") == 0
    first = counts(capsys.readouterr().out)
    assert first["sessions"] == 2
    assert first["invitations"] == 1
    assert first["limits"] >= 1
    assert installation.run("sweep") == 0
    assert set(counts(capsys.readouterr().out).values()) == {0}


def test_the_sweep_leaves_what_lives(installation: Installation, capsys: pytest.CaptureFixture[str]):
    flows = installation.open()
    send_invitation(flows)
    assert installation.run("sweep") == 0
    assert set(counts(capsys.readouterr().out).values()) == {0}
    with flows.uow.begin() as tx:
        assert len(tx.invitations.open_in(OrganizationId("acme"), limit=10)) == 1


# --- what an installation may lack ----------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["relay", "sweep"])
def test_without_a_key_ring_nothing_starts(tmp_path: Path, command: str, capsys: pytest.CaptureFixture[str]):
    assert main([command, "--database", f"sqlite:///{tmp_path / 'a.db'}", "--keys", str(tmp_path / "none.json")]) == 1
    assert capsys.readouterr().err.startswith("error: keys.missing: ")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", ["relay", "sweep"])
def test_a_database_must_be_there(tmp_path: Path, command: str, capsys: pytest.CaptureFixture[str]):
    keys = str(tmp_path / "keys.json")
    assert main(["keys", "new", "--file", keys]) == 0
    assert main([command, "--database", f"sqlite:///{tmp_path / 'a.db'}", "--keys", keys]) == 1
    assert capsys.readouterr().err.startswith("error: database.unavailable: ")
    assert [file.name for file in tmp_path.iterdir()] == ["keys.json"]


@pytest.mark.parametrize("command", ["relay", "sweep"])
def test_its_tables_must_be_there(installation: Installation, command: str, capsys: pytest.CaptureFixture[str]):
    keys = str(installation.keys)
    assert main([command, "--database", installation.url, "--prefix", "nothing_", "--keys", keys]) == 1
    assert capsys.readouterr().err.startswith("error: schema.missing: ")


@pytest.mark.parametrize("command", ["relay", "sweep"])
def test_its_tables_must_be_of_this_version(
    installation: Installation, command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setitem(schema.check.__kwdefaults__, "revisions", (*schema.REVISIONS, "9999"))
    assert installation.run(command) == 1
    assert capsys.readouterr().err.startswith("error: schema.too_old: ")


@pytest.mark.parametrize("command", ["relay", "sweep"])
def test_both_arguments_are_asked_for(command: str, capsys: pytest.CaptureFixture[str]):
    assert main([command]) == 2
    assert "--database, --keys" in capsys.readouterr().err


# --- recheck --------------------------------------------------------------------------------------------------------


def link_somebody(flows: Authflow, installation: Installation) -> None:
    """Let a member of an organization with a provider that cannot be reached have been linked for a month."""
    long_ago, entropy = SystemClock().now() - timedelta(days=30), SystemEntropy()
    acme, ada = add_organization(flows, "acme"), add_user(flows, "ada@example.com")
    flows.members.add(Context(), organization=acme, user=ada)
    key, subject = ProviderId("acme-idp"), Subject("00u1")
    vault = Vault(AesGcmCipher(KeyRing.load(installation.keys), entropy))
    settings = Settings(
        config=vault.seal({"issuer": "https://127.0.0.1:1"}, settings_binding(acme, key)), steps=b"1", confirms=True
    )
    made = Connected(id=key, organization=acme, kind="oidc", name="Acme", settings=settings, connected_at=long_ago)
    link = Link(
        id=LinkId("link-1"),
        organization=acme,
        provider=key,
        subject=subject,
        user=ada,
        linked_at=long_ago,
        verified_at=long_ago,
        synced_at=long_ago,
        memory=vault.seal({"refresh_token": "r"}, memory_binding(key, subject)),
    )
    with flows.uow.begin() as tx:
        tx.providers.save(acme, made, expected=0)
        tx.links.add(link)


def test_providers_are_asked_again_and_what_they_said_is_counted(
    installation: Installation, capsys: pytest.CaptureFixture[str]
):
    """It goes on until nobody is due; a provider that cannot be reached is counted, and no reason to fail."""
    flows = installation.open()
    assert installation.run("recheck") == 0
    assert counts(capsys.readouterr().out) == {"confirmed": 0, "revoked": 0, "failed": 0, "ended": 0, "unasked": 0}
    link_somebody(flows, installation)
    assert installation.run("recheck", "--limit", "1") == 0
    printed = capsys.readouterr()
    assert counts(printed.out) == {"confirmed": 0, "revoked": 0, "failed": 1, "ended": 0, "unasked": 0}
    assert re.search("^oidc of .* could not be asked again: ", printed.err, re.MULTILINE), "and whose it is, and why"
    with flows.uow.begin() as tx:
        assert tx.links.get(LinkId("link-1")).failures == 1
    assert installation.run("recheck") == 0
    assert counts(capsys.readouterr().out)["failed"] == 0
