from __future__ import annotations

import io
import re
import string
from pathlib import Path

import pytest

from authflow.adapters.mail import TEMPLATES, ConsoleMailer, MemoryMailer, render
from authflow.errors import ConfigInvalid
from authflow.facts.records import Mail, MailKind
from authflow.facts.table import RECORDS
from authflow.values import Address

PAGE = Path(__file__).parents[2] / "docs" / "installation.md"
ORIGIN = {"at", "ip", "actor"}


def mail(kind: MailKind, /, **context: str | int | None) -> Mail:
    return Mail(id="m1", kind=kind, to=Address("ann@example.org"), context=context)


def placeholders(pattern: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(pattern) if name}


@pytest.mark.parametrize("kind", MailKind)
def test_every_mail_has_a_text_of_one_subject_line(kind: MailKind):
    text = render(mail(kind, token="t0ken"))
    assert text.subject.isprintable()
    assert 0 < len(text.subject) < 78
    assert "{" not in text.body


@pytest.mark.parametrize("row", [row for row in RECORDS.values() if row.mail], ids=lambda row: row.mail)
def test_a_text_asks_only_for_what_its_fact_records(row: object):
    """Whatever a template names is in the payload of every fact that sends it; a secret exactly where a link is."""
    names = placeholders(TEMPLATES[row.mail].body)
    known = ORIGIN | ({"organization_name"} if row.names_organization else set())
    assert names - known - {"link", "page"} <= set(row.fields)
    assert "organization" not in names, "people know an organization by its name"
    assert ("link" in names) == (row.secret is not None)


def test_a_link_carries_the_token_percent_encoded():
    links = {MailKind.INVITATION: "https://app.example/join/{invitation}?token={token}&x={ip}"}
    text = render(mail(MailKind.INVITATION, token="a&b=c/\u00e4", invitation="inv-1", role="member", ip=None), links)
    assert "https://app.example/join/inv-1?token=a%26b%3Dc%2F%C3%A4&x=unknown" in text.body


def test_a_link_with_a_placeholder_that_the_mail_does_not_know_is_refused():
    """A mail whose link opens nothing is not sent: the relay keeps it until the link is right."""
    sent = mail(MailKind.INVITATION, token="t0ken", invitation="inv-1")
    with pytest.raises(ConfigInvalid, match="names 'invite' in the link of invitation, which has invitation, token"):
        render(sent, {MailKind.INVITATION: "https://app.example/{invite}/{token}"})


@pytest.mark.parametrize(
    ("kind", "before"),
    [(MailKind.SSO_LINK_ACCOUNT, "Sign in through it once."), (MailKind.SSO_ENDED, "if you have none, set one.")],
)
def test_a_mail_without_a_token_leads_somewhere_if_the_host_says_where(kind: MailKind, before: str):
    sent = mail(kind, organization="17", kind="oidc")
    led = render(sent, {kind: "https://app.example/sso/{organization}"})
    assert f"{before}\n\nhttps://app.example/sso/17\n\nWhen: " in led.body
    for links in ({}, {MailKind.INVITATION: "https://app.example/{token}"}):
        assert f"{before}\n\nWhen: " in render(sent, links).body


def test_among_links_none_is_missing():
    """A bare token under "this link" helps nobody; the relay keeps the mail until the link is there."""
    with pytest.raises(ConfigInvalid, match="names no link for mfa_reset") as refused:
        render(mail(MailKind.MFA_RESET, token="t0ken"), {MailKind.INVITATION: "https://app.example/{token}"})
    assert "t0ken" not in str(refused.value)


@pytest.mark.parametrize("pattern", ["{", "{}", "{0}", "{token.x}", "{token[x]}", "{token:%d}", "{token!x}"])
def test_a_link_that_is_no_pattern_is_refused_without_its_token(pattern: str):
    with pytest.raises(ConfigInvalid) as refused:
        render(mail(MailKind.INVITATION, token="t0ken"), {MailKind.INVITATION: pattern})
    assert "t0ken" not in str(refused.value)
    assert refused.value.__context__ is None


def test_without_a_link_the_token_itself_is_shown():
    assert "t0ken" in render(mail(MailKind.MFA_RESET, token="t0ken")).body


def test_no_value_writes_lines_fields_or_templates_of_its_own():
    text = render(mail(MailKind.MFA_ADDED, actor="Eve\r\nSubject: {kind}\n\nPay me", kind="totp", ip=None))
    assert "By: Eve  Subject: {kind}  Pay me\n" in text.body
    assert "From: unknown\n" in text.body


@pytest.mark.parametrize("kind", MailKind)
def test_the_page_lists_what_every_fact_that_sends_a_mail_records(kind: MailKind):
    rows = [row for row in RECORDS.values() if row.mail == kind]
    shared = set.intersection(*({*row.fields, *(["token"] if row.secret else [])} for row in rows))
    (line,) = [line for line in PAGE.read_text("utf-8").splitlines() if line.startswith(f"| `{kind.name}` |")]
    assert set(re.findall(r"`\{(\w+)\}`", line)) == shared


def test_a_text_never_shows_its_secret_in_a_repr():
    sent = mail(MailKind.INVITATION, token="t0ken")
    assert "t0ken" not in repr(sent)
    assert "t0ken" not in repr(render(sent))


def test_the_memory_mailer_keeps_and_the_console_mailer_prints(capsys: pytest.CaptureFixture[str]):
    sent = mail(MailKind.INVITATION, token="t0ken", role="member")
    memory, stream = MemoryMailer(), io.StringIO()
    memory.send(sent)
    ConsoleMailer(stream, {MailKind.INVITATION: "https://app.example/{token}"}).send(sent)
    ConsoleMailer().send(sent)
    assert memory.sent == [sent]
    assert stream.getvalue().startswith("To: ann@example.org\nSubject: You are invited")
    assert "https://app.example/t0ken" in stream.getvalue()
    assert "t0ken" in capsys.readouterr().out
