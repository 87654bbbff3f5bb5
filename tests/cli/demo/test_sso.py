"""The story of single sign-on, with each provider: what happens in which order, what is refused, what is shown."""

from __future__ import annotations

import contextlib
import io
import os
import re
import shutil
import sys
from pathlib import Path
from typing import Final, NamedTuple

import pytest

from authflow.cli import main
from authflow.cli.layout import WIDTH
from tests.backends import require
from tests.providers.certified import MissingProvider, installed, node

MOVES: Final = [
    "membership.member (Olga): Outside -> Member",
    "membership.member (Ada): Outside -> Member",
    "sso.setup (acme): Proposed -> Tried",
    # Olga confirms: one command
    "sso.provider (Acme): NoProvider -> Connected",
    "sso.setup (acme): Tried -> Over",
    "sso.linking (Olga): Unlinked -> Linked",
    # Noor
    "sso.login (Noor): Away -> Identified",
    "sso.login (Noor): Identified -> AddressMailed",
    "sso.login (Noor): AddressMailed -> AddressProven",
    "sso.login (Noor): AddressProven -> Over",
    # Ada
    "sso.login (Ada): Away -> Identified",
    "sso.login (Ada): Identified -> Over",
    "sso.linking (Ada): Unlinked -> Linked",
    "sso.login (Ada again): Away -> Over",
    # Mallory
    "sso.setup (globex): Proposed -> Tried",
    "sso.setup (globex): Tried -> Over",
    "sso.login (Mallory): Away -> Identified",
    "sso.login (Mallory): Identified -> AddressMailed",
    "sso.login (Eve): Away -> Over",
]


class Show(NamedTuple):
    """One run: its exit status, and what it printed."""

    status: int
    text: str

    def all(self, pattern: str) -> list[str]:
        return re.findall(pattern, self.text, re.MULTILINE)

    def after(self, chapter: str) -> str:
        """Return a chapter, its lines joined."""
        return " ".join(re.split(r"\n-+\n", self.text.partition(chapter)[2])[1].replace("|", " ").split())


def played(folder: Path, *others: str) -> Show:
    out = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", newline="")
    with contextlib.redirect_stdout(out):
        status = main(["demo", "sso", "--database", f"sqlite:///{folder / 'demo.sqlite3'}", *others])
    out.seek(0)
    return Show(status, out.read())


DEPRECATED: Final = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # pysaml2 calls what is, in newer Pythons


@pytest.fixture(scope="module", params=["oidc", "oidc-provider", "saml", pytest.param("pysaml2", marks=DEPRECATED)])
def show(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Show:
    """One run with each provider: those of the package, and those that this project did not write."""
    with pytest.MonkeyPatch.context() as place:
        if request.param == "oidc-provider":
            go_where_it_is(place)
        if request.param == "pysaml2" and shutil.which("xmlsec1") is None:
            require("xmlsec1 is not installed: pysaml2 cannot sign")
        return played(tmp_path_factory.mktemp("sso"), "--provider", request.param)


def go_where_it_is(place: pytest.MonkeyPatch) -> None:
    try:
        place.chdir(installed())
        place.setenv("PATH", str(Path(node()).parent), prepend=os.pathsep)
    except MissingProvider as missing:
        require(f"no oidc-provider to test against: {missing}")


def test_it_ends_well_and_every_machine_moves_in_order(show: Show):
    assert show.status == 0
    assert show.all(r"^    state       (.*)$") == MOVES


def test_a_liar_learns_nothing_and_gets_nothing(show: Show):
    lie = show.after("Mallory runs a provider for Globex")
    assert "asserted Ada Lovelace, ada@example.com signed in nobody offers mail_proof, new_account, sign_in" in lie
    assert "Refused sso.link_unproven" in lie
    told = lie.partition("Only she is told:")[2]
    assert re.findall(r"To: (\S+)", told) == ["ada@example.com"]
    assert "You have an account already" in told
    assert "Linked" not in lie


def test_an_answer_counts_once(show: Show):
    assert re.findall(r"Refused (\S+):", show.after("Somebody shows the answer")) == [
        "sso.state_invalid",
        "sso.pipeline_expired",
    ]


def test_a_forged_answer_is_refused(show: Show):
    """Of SAML its text was changed, whose signature says so; of OpenID Connect the code is one that was never given."""
    code = "sso.response_invalid" if "sso.keep_answer" in show.text else "sso.provider_refused"
    forged = show.after("Eve works at Acme")
    assert re.findall(r"Refused (\S+):", forged) == [code]
    assert "recorded sso_sign_on_refused" in forged
    assert "SignedOn" not in forged


def test_people_leave_on_both_sides_where_the_provider_can_be_told(show: Show):
    """Ada from here, Noor from there; the provider's request counts once. OpenID Connect has none of it here."""
    if "sso.keep_answer" not in show.text:
        assert "Ada signs out" not in show.text
        return
    left = show.after("Ada signs out")
    assert re.findall(r"answer ([A-Z]\w+)", left) == [
        "SentToSignOut",
        "SignedOutThere",
        "ProviderSessionsEnded",
        "Refused",
    ]
    assert "ended 1 " in left
    assert "Refused sso.response_replayed" in left


def test_the_new_account_is_one_transaction(show: Show):
    done = show.after("Noor, whom nobody knows")
    assert "login_succeeded, user_signed_up, address_verified, sso_identity_link, member_add" in done
    assert re.findall(r"Subject: (Confirm .*?) ", done) == ["Confirm your"]


def test_only_what_is_meant_to_be_shown_is_shown(show: Show):
    """One token, in the mail to Noor; no ticket, state, code, assertion or session, and lines keep to their width."""
    assert len(show.all(r"\b[a-z2-7]{52}\b")) == 1
    assert show.all(r"[?&](?:state|code|SAMLRequest|code_challenge)=") == []
    assert show.all(r"\b[A-Za-z0-9+/]{43}=") == []
    assert [line for line in show.text.splitlines() if len(line) > WIDTH] == []


def test_without_the_extra_it_says_what_to_install(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "authflow.testing.openid", None)
    assert main(["demo", "sso"]) == 1
    assert "oidc" in capsys.readouterr().err


def test_without_the_certified_provider_it_says_how_to_get_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    """Where there is no Node, and where Node finds no package."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert main(["demo", "sso", "--provider", "oidc-provider"]) == 1
    assert "there is no node on the PATH" in capsys.readouterr().err
    try:
        monkeypatch.setenv("PATH", str(Path(node()).parent))
    except MissingProvider as missing:
        require(f"no Node to test with: {missing}")
    assert main(["demo", "sso", "--provider", "oidc-provider"]) == 1
    assert "npm install --ignore-scripts oidc-provider" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("there", "how"),
    [("xmlsec1", "pip install pysaml2"), ("pysaml2", "apt-get install xmlsec1")],
    ids=["no pysaml2", "no xmlsec1"],
)
def test_without_the_other_saml_provider_it_says_how_to_get_it(
    there: str, how: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("PATH", str(tmp_path))
    if there == "xmlsec1":
        (tmp_path / there).touch(mode=0o755)
        monkeypatch.setitem(sys.modules, "saml2.config", None)
    assert main(["demo", "sso", "--provider", "pysaml2"]) == 1
    assert how in capsys.readouterr().err
