"""The whole story, on real databases: what happens in which order, what is shown, and that nothing is left behind."""

from __future__ import annotations

import contextlib
import io
import re
import subprocess
import sys
import tempfile
from typing import TYPE_CHECKING, Final, NamedTuple

import pytest
import sqlalchemy as sa

from authflow.adapters.sql import schema
from authflow.adapters.sql.engine import make_engine
from authflow.adapters.sql.tables import build
from authflow.cli import main
from authflow.cli.demo.postbox import Postbox
from authflow.cli.layout import WIDTH

if TYPE_CHECKING:
    from pathlib import Path

COMMANDS: Final = [
    "host: add its rows",
    "members.add",
    "sessions.establish",
    "mfa.begin_totp",
    "mfa.complete_totp",
    "invitations.invite",
    "relay.drain_until_quiet",
    "sessions.establish",
    "sessions.establish",
    "invitations.look",
    "invitations.accept",
    "mfa.begin_totp",
    "mfa.complete_totp",
    "mfa.complete_totp",
    "sessions.identify",
    "relay.drain_until_quiet",
    "sessions.establish",
    "mfa.verify totp",
    "mfa.verify recovery",
    "relay.drain_until_quiet",
]

MOVES: Final = [
    "membership.invitation: none -> Pending",
    "sessions.session (tablet): none -> SignedIn",
    "sessions.session (laptop): none -> SignedIn",
    "membership.consent: NoConsent -> Given",
    "mfa.enrollment: Unenrolled -> Proposed",
    # everything up to the blank line is one command
    "mfa.enrollment: Proposed -> Enrolled",
    "mfa.recovery: NoCodes -> Ready",
    "membership.invitation: Pending -> Accepted",
    "membership.consent: Given -> NoConsent",
    "membership.member: Outside -> Member",
    # the tablet
    "sessions.session (tablet): SignedIn -> Ended",
    # the next sign-in
    "sessions.session (later): none -> FactorOwed",
    "sessions.session (later): FactorOwed -> SignedIn",
]


class Show(NamedTuple):
    """One run: what it printed, and the tables that stood before and after."""

    status: int
    text: str
    before: set[str]
    after: set[str]

    def all(self, pattern: str) -> list[str]:
        return re.findall(pattern, self.text, re.MULTILINE)

    def command(self, name: str, which: int = 0) -> str:
        """Return what was told between the command and the next one."""
        parts = re.split(r"^ *\d+  (?=[a-z]+[:.])", self.text.partition("All of it")[0], flags=re.MULTILINE)
        return [part for part in parts if part.startswith(name + "\n")][which]


def tables(url: str) -> set[str]:
    engine = make_engine(url)
    found = set(sa.inspect(engine).get_table_names())
    engine.dispose()
    return found


def played(url: str, *others: str) -> Show:
    before, out = tables(url), io.TextIOWrapper(io.BytesIO(), encoding="utf-8", newline="")
    with contextlib.redirect_stdout(out):
        status = main(["demo", "--database", url, *others])
    out.seek(0)
    return Show(status, out.read(), before, tables(url))


@pytest.fixture(scope="module", params=["sqlite", "postgresql", "mariadb"])
def show(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Show:
    """Play once on each database, beside tables of somebody else."""
    on_server = request.param != "sqlite"
    folder = tmp_path_factory.mktemp("demo")
    url = request.getfixturevalue(f"{request.param}_url") if on_server else f"sqlite:///{folder / 'app.sqlite3'}"
    engine, others = make_engine(url), build(prefix="somebody_elses_")
    schema.upgrade(engine, others)
    shown = played(url)
    schema.downgrade(engine, others, to="base")
    engine.dispose()
    return shown


# --- the story ------------------------------------------------------------------------------------------------------


def test_it_ends_well(show: Show):
    assert show.status == 0


def test_every_command_is_played_in_order(show: Show):
    story, _, table = show.text.partition("All of it, command by command")
    assert re.findall(r"^ *\d+  ([a-z]+[:.].*)$", story, re.MULTILINE) == COMMANDS
    assert [line[4:27].strip() for line in table.splitlines() if re.match(r" ?\d+  ", line)] == COMMANDS


def test_every_machine_moves_in_order(show: Show):
    assert show.all(r"^    state       (.*)$") == MOVES


def test_a_wrong_code_is_refused_and_the_tries_are_counted_down(show: Show):
    refused = show.command("mfa.complete_totp", 1)
    assert "Refused mfa.code_rejected: This code is not accepted. 4 more tries." in " ".join(refused.split())
    assert "recorded    mfa_failed" in refused


def test_the_post_flow_is_one_command(show: Show):
    done = " ".join(show.command("mfa.complete_totp", 2).split())
    assert "Enrolled" in done
    assert "recorded mfa_added, recovery_codes_added, sessions_ended, member_accept" in done
    assert "signal member_joined to eu" in done
    assert "joined: Ada is a member of acme" in done
    assert "1 other session of hers ended" in done


def test_the_other_browser_is_signed_out(show: Show):
    assert "signed out: session.ended" in show.command("sessions.identify")


def test_the_relay_tells_receivers_and_sends_mails(show: Show):
    told = " ".join(show.command("relay.drain_until_quiet", 1).replace("|", " ").split())
    assert "A receiver of member_joined in eu hears: acme, user_id=ada" in told
    assert "A receiver of factor_enrolled hears: ada" in told
    assert show.all(r"^    \| To: (.*)$") == ["olga@example.com", *["ada@example.com"] * 3]
    assert "Subject: A second factor was set up" in told


def test_what_happened_is_read_back(show: Show):
    persons, _, tenants = show.text.partition("people-security:")[2].partition("acme-security:")
    assert re.findall(r"\d\d:\d\d:\d\d +(.*)$", persons, re.MULTILINE) == [
        *(f"{what} (olga)" for what in ("login_succeeded", "mfa_added", "recovery_codes_added", "sessions_ended")),
        *("login_succeeded (ada)", "login_succeeded (ada)"),
        *(f"{what} (ada)" for what in ("mfa_failed", "mfa_added", "recovery_codes_added", "sessions_ended")),
    ]
    assert re.findall(r"\d\d:\d\d:\d\d +(.*)$", tenants, re.MULTILINE) == [
        "member_add (olga)",
        "member_invite",
        "member_accept (ada)",
    ]


def test_the_code_of_the_enrollment_is_burnt(show: Show):
    burnt = show.command("mfa.verify totp")
    assert "Refused mfa.code_rejected" in burnt
    assert "recorded    otp_replayed" in burnt


def test_a_recovery_code_lets_her_in(show: Show):
    back = show.command("mfa.verify recovery")
    assert "answer      Arrived" in back
    assert "recovery_code_used, login_succeeded" in " ".join(back.split())
    assert "A recovery code was used. 9 are left." in show.text


# --- what is shown --------------------------------------------------------------------------------------------------


def test_only_what_is_meant_to_be_shown_is_shown(show: Show):
    """One authenticator secret (Ada's), ten recovery codes (hers), one invitation token (in the mail)."""
    grouped = show.all(r"\b(?:[A-Z2-7]{4} ){7}[A-Z2-7]{4}$")
    bare = show.all(r"\b[A-Z2-7]{32}\b")
    assert [text.replace(" ", "") for text in grouped] == bare
    assert len(bare) == 1
    assert len(show.all(r"\b(?:[0-9A-Z]{4}-){3}[0-9A-Z]{4}\b")) == 10
    assert len(show.all(r"\b[0-9a-f]{64}\b")) == 1
    assert show.all(r"\b[a-z2-7]{52}\b") == [], "the secret of a session"
    assert show.all(r"\b[A-Za-z0-9+/]{43}=") == [], "a key"


def test_lines_keep_to_their_width(show: Show):
    """Only the address of the QR code is longer: it is copied in one piece."""
    assert [line for line in show.text.splitlines() if len(line) > WIDTH and "otpauth://" not in line] == []


def test_a_qr_code_is_drawn_unless_it_is_not_wanted(show: Show, tmp_path: Path):
    assert "▄▄▄▄▄ █" in show.text
    assert "█" not in played(f"sqlite:///{tmp_path / 'a.db'}", "--no-qr").text


def test_without_the_library_for_it_the_story_goes_on(tmp_path: Path):
    code = "import sys; sys.modules['segno'] = None; from authflow.cli import main; sys.exit(main(['demo']))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, encoding="utf-8", check=False)
    assert done.returncode == 0, done.stderr
    assert "(no QR code: the extra 'qr' is not installed)" in done.stdout


# --- what is left behind --------------------------------------------------------------------------------------------


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of this test's own, in which temporary files are made."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def test_nothing_is_left_and_nothing_else_is_touched(show: Show):
    assert show.before == show.after
    assert [name for name in show.before if name.startswith("demo_")] == []
    assert any(name.startswith("somebody_elses_") for name in show.before)


def test_by_default_it_plays_on_a_file_that_is_gone_afterwards(temporary: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["demo", "--no-qr"]) == 0
    assert f"sqlite:///{temporary}" in capsys.readouterr().out
    assert list(temporary.iterdir()) == []


def test_a_database_file_that_was_not_there_is_gone_again(tmp_path: Path, temporary: Path):
    assert main(["demo", "--no-qr", "--database", f"sqlite:///{tmp_path / 'new.db'}"]) == 0
    assert list(tmp_path.iterdir()) == [temporary]


def test_kept_tables_can_be_looked_at(temporary: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["demo", "--no-qr", "--keep"]) == 0
    shown = capsys.readouterr().out
    (folder,) = temporary.iterdir()
    url, prefix = f"sqlite:///{folder / 'demo.sqlite3'}", re.findall(r"^tables +(demo_\w+_)\*$", shown, re.MULTILINE)[0]
    assert f"database  {url}\n" in shown
    assert main(["schema", "check", "--database", url, "--prefix", prefix]) == 0
    assert main(["sweep", "--database", url, "--prefix", prefix, "--keys", str(folder / "keys.json")]) == 0


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("nonsense", "config.invalid"),
        ("sqlite:////nowhere/at/all.db", "database.unavailable"),
        ("postgresql://ada:hunter2@127.0.0.1:1/app", "database.unavailable"),
    ],
)
def test_a_database_that_cannot_be_used(temporary: Path, url: str, code: str, capsys: pytest.CaptureFixture[str]):
    assert main(["demo", "--database", url]) == 1
    said = capsys.readouterr()
    assert said.err.startswith(f"error: {code}: ")
    assert "hunter2" not in said.out + said.err
    assert list(temporary.iterdir()) == []


def test_a_database_that_goes_away_is_an_error_and_no_traceback(
    temporary: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    """The file is overwritten in the middle of the story."""

    def spoil(_self: Postbox, _mail: object) -> None:
        for file in temporary.rglob("demo.sqlite3*"):
            file.write_bytes(b"no database any more" * 1000)

    monkeypatch.setattr(Postbox, "send", spoil)
    assert main(["demo", "--no-qr"]) == 1
    assert capsys.readouterr().err.startswith("error: database.")
    assert list(temporary.iterdir()) == []
