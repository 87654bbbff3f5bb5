"""The pages of decisions: tables that no machine holds, read by asking the functions that decide."""

from __future__ import annotations

from datetime import timedelta
from itertools import product
from typing import TYPE_CHECKING, Any, Final

import attrs
from composition import composition_page  # these two are beside this script
from pieces import cells, page, prose, sentence

from authflow.sso import access as entering
from authflow.sso import case, finishing, linking, opening, recheck
from authflow.sso.access import MARK_LIFE, Door, Entrant, Why, access
from authflow.sso.case import Ask, Deny, LinkTo, Register
from authflow.sso.grounds import Attached, MailedProof, NewAccount, OwnSession
from authflow.sso.links import Crossed, Held, Linked, LinkedElsewhere, Unlinked
from authflow.sso.recheck import GRACE, Flags, Said, check
from authflow.testing.samples.finishing import RARE, cases
from authflow.testing.samples.links import ACME, ACME_IDP, ADA, EVE, NOW, OTHER, SUBJECT, attach, holder, link
from authflow.testing.samples.pipelines import openings
from authflow.values import Level, LinkId, Mark, Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from authflow.errors import Code
    from authflow.sso.case import Decision
    from authflow.sso.links import Linking
    from authflow.sso.opening import Opening

    Row = Callable[[case.Case, datetime], Decision | None]

STRIDE: Final = 7
"""Every so many of the cases of finishing are asked: enough to take every decision of every row."""


def grid(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a Markdown table."""
    return "\n".join([cells(*head), "|---" * len(head) + "|", *(cells(*row) for row in rows)])


def refusal(code: Code) -> str:
    """Return *code* with a link to its page."""
    return f"[`{code}`](../errors/{code}.md)"


# --- finishing --------------------------------------------------------------------------------------------------------


def decided(table: Sequence[Row]) -> str:
    """Return *table* with what each of its rows decides."""
    found: dict[Row, set[str]] = {row: set() for row in table}
    for one in (*RARE, *list(cases())[::STRIDE]):
        row, decision = next((row, decision) for row in table if (decision := row(one, NOW)) is not None)
        found[row].add(spelled(decision))
    rows = [
        (number, f"`{row.__name__}`", sentence(row), ", ".join(sorted(taken, reverse=True)))
        for number, (row, taken) in enumerate(found.items(), 1)
    ]
    return grid(("row", "name", "what it says", "decides"), rows)


def spelled(decision: Decision) -> str:
    """Return a decision as the table names it."""
    match decision:
        case Deny():
            return refusal(decision.code)
        case Ask():
            return f"`Ask({decision.page.value})`"
        case LinkTo():
            return f"`LinkTo({decision.by.value})`"
        case Register():
            return f"`Register({'verified' if decision.verified else 'unverified'})`"
        case _:
            return f"`{type(decision).__name__}`"


def finishing_page() -> str:
    """Return the page of the table by which a sign-in through a provider finishes."""
    decisions = [case.Enter, case.TakeOver, case.LinkTo, case.Challenge, case.Register, case.ProveAddress, case.Ask]
    return page(
        "# Finishing a sign-in through a provider",
        prose(finishing),
        "Defined in `authflow.sso.finishing`; `decide(case, now)` returns what the first row decides that applies. The "
        "rows above one are part of what it says: `vouched` makes no account for an identity that `known` has let in.",
        decided(finishing.TABLE),
        "A sign-in that [nobody had asked for](unasked.md) has a table of its own.",
        "## What is looked at",
        *(f"### {kind.__name__}\n\n{prose(kind)}" for kind in (case.Case, case.Known, case.Visitor)),
        "The identity is what the provider said, verified: subject, former subject, address and whether it counts as "
        "verified, name, and when.",
        "## Decisions",
        grid(
            ("decision", "what it means"),
            [(f"`{kind.__name__}`", " ".join(prose(kind).split())) for kind in [*decisions, case.Deny]],
        ),
        "What the person may choose is `nothing`, where they come from the provider, `link` and `new_account`. Three "
        "pages are shown: `stranger` where nobody is signed in, `visitor` where somebody is, and `proven` where a "
        "mailbox was proved for this very identity.",
    )


def unasked_page() -> str:
    """Return the page of the table for a sign-in that began at the provider."""
    return page(
        "# Finishing a sign-in that nobody had asked for",
        "It began at the provider, in its portal, and only a link that stands lets anybody in by it: it links nobody, "
        "makes no account, takes no former subject over, and makes nobody who is signed in somebody else "
        "(decision 25).",
        "Defined in `authflow.sso.finishing` as `UNASKED`; `decide_unasked(case, now)` returns what the first row "
        "decides that applies. Its rows are those of [finishing](finishing.md), where what is looked at and what is "
        "decided is told, but for two of its own: `unlinked` and `another_visitor`.",
        decided(finishing.UNASKED),
        "None of this is asked unless the provider's owner allowed it in its settings, and the answer passed every "
        "check of its signature and time.",
    )


# --- linking ----------------------------------------------------------------------------------------------------------

OWN: Final = link(ADA, OTHER)
STANDINGS: Final[tuple[tuple[str, str, Linking], ...]] = (
    ("nobody's", "none", Unlinked()),
    ("nobody's", "another one", LinkedElsewhere(own=OWN)),
    ("theirs", "this one", Linked(link=link(), holder=holder())),
    ("somebody else's", "none", Held(link=link(EVE), holder=holder(EVE))),
    ("somebody else's", "another one", Crossed(link=link(EVE), holder=holder(EVE), own=OWN)),
    ("theirs, and they are inactive", "this one", Linked(link=link(), holder=holder(active=False))),
    (
        "of somebody inactive",
        "none",
        Held(link=link(EVE), holder=holder(EVE, active=False)),
    ),
)
GROUNDS: Final = (
    OwnSession(user=ADA, elevated=True),
    OwnSession(user=ADA, elevated=False),
    MailedProof(user=ADA, provider=ACME_IDP, subject=SUBJECT),
    NewAccount(user=ADA),
)


def linked(state: Linking, ground: Any) -> str:  # noqa: ANN401  # one of the three grounds
    """Return what becomes of the links."""
    step = linking.MACHINE.step(state, attach(ground), NOW)
    if isinstance(step.answer, Refused):
        return refusal(step.answer.code)
    if not isinstance(step.answer, Attached):
        raise TypeError(step.answer)
    told = [f"`{type(fact).__name__}`" for fact in step.facts]
    gone = {0: "", 1: "the old link goes", 2: "both old links go"}[len(step.answer.dropped)]
    kept = "a new link" if step.answer.link.id == attach().id else "the link stays"
    return "; ".join(filter(None, [kept, gone, ", ".join(told) or "nobody is told"]))


def linking_page() -> str:
    """Return the page of what becomes of links that want each other's place."""
    head = (
        "the subject is",
        "the person's own link",
        "signed in, elevated",
        "signed in",
        "mailed proof",
        "new account",
    )
    return page(
        "# Linking",
        "What becomes of the links when an identity is to become a person's, by whose the subject is now, what link "
        "the person has at this provider, and on what ground (sso 9). All of it is decided by the machine "
        "[sso.linking](../machines/sso.linking.md); a provider belongs to one organization, so nothing here reaches "
        "another one.",
        grid(head, [(subject, own, *(linked(state, each) for each in GROUNDS)) for subject, own, state in STANDINGS]),
        "On every row and ground besides: an assertion that is ten minutes old is "
        f"{refusal(linking.Code.SSO_IDENTITY_EXPIRED)}; a ground that speaks for another person, and a mailed proof "
        f"for another identity, is {refusal(linking.Code.SSO_IDENTITY_MISMATCH)}; and for a person who may not sign "
        f"in, everything is {refusal(linking.Code.SSO_IDENTITY_DISABLED)}. Two who are linked at the same moment meet "
        "a unique constraint, and the slower one is told of a conflict; nobody is looked up by an address instead.",
        "Where a link moves, the membership of whoever had it says that its link is broken, unless they have another "
        "one by then (decision 27), and both people are mailed at their verified addresses.",
    )


# --- access -----------------------------------------------------------------------------------------------------------

DOOR: Final = Door(organization=ACME, provider=ACME_IDP, required=True, confirms=True)
STANDS: Final = attrs.evolve(link(), verified_at=NOW)
CAME: Final = Mark(organization=ACME, provider=ACME_IDP, link=STANDS.id, at=NOW)
ENTRANTS: Final[tuple[tuple[str, Entrant], ...]] = (
    ("linked, and signed in through the provider", Entrant(level=Level.NONE, link=STANDS, linked=True, mark=CAME)),
    ("linked; signed in with a password", Entrant(level=Level.ONE, link=STANDS, linked=True)),
    ("linked; signed in with a password and a factor", Entrant(level=Level.TWO, link=STANDS, linked=True)),
    (
        "linked; signed in by a link that is gone",
        Entrant(level=Level.NONE, link=STANDS, linked=True, mark=attrs.evolve(CAME, link=LinkId("former"))),
    ),
    (
        "linked; the sign-in is too old",
        Entrant(level=Level.NONE, link=STANDS, linked=True, mark=attrs.evolve(CAME, at=NOW - MARK_LIFE)),
    ),
    (
        "the provider has not confirmed the link for 7 days",
        Entrant(level=Level.TWO, link=link(), linked=True, mark=CAME),
    ),
    ("the provider took the person back", Entrant(level=Level.TWO, link=STANDS, linked=False, invalid=True, mark=CAME)),
    ("not linked; signed in with a password and a factor", Entrant(level=Level.TWO)),
)
ROLES: Final[tuple[tuple[str, Mapping[str, Any]], ...]] = (
    ("a member", {}),
    ("an owner beside another who can come in", {"owner": True, "another_way_in": True}),
    ("the owner whom nobody else could let in", {"owner": True}),
)


def entered(entrant: Entrant) -> str:
    """Return what is decided about *entrant*."""
    found = access(DOOR, entrant, NOW)
    if found.broken_glass:
        return f"in, the glass is broken (`{found.why_not}`)"
    return "in" if found.met else f"`{found.why_not}`"


def access_page() -> str:
    """Return the page of who may act in an organization that requires its provider."""
    rows = [(what, *(entered(attrs.evolve(entrant, **facts)) for _, facts in ROLES)) for what, entrant in ENTRANTS]
    return page(
        "# Access",
        prose(entering),
        "Defined in `authflow.sso.access`. Where the organization has no provider, or does not require it, nothing is "
        "asked.",
        grid(("the person is", *(name for name, _ in ROLES)), rows),
        "Whoever owns the organization and is alone with a broken link needs two proofs of their own: with a password "
        "alone the last column is like the first.",
        "## Reasons",
        grid(
            ("reason", "would signing in through the provider help"),
            [(f"`{why.value}`", "no" if why in entering.UNUSABLE else "yes") for why in Why],
        ),
        f"A sign-in counts for {MARK_LIFE.days} days, unless the [policy](../reference/policy.md) says otherwise, and "
        f"a provider that can be asked must have confirmed the link within {entering.CONFIRMED_WITHIN.days} days.",
    )


# --- asking again -----------------------------------------------------------------------------------------------------


def flagged(flags: Flags) -> str:
    """Return what a membership says."""
    return ("linked" if flags.linked else "not linked") + (", invalid" if flags.invalid else "")


def checked(flags: Flags, failures: int, said: Said) -> str:
    """Return what asking makes of a membership's flags and its link."""
    found = check(link(), flags, failures, said, NOW)
    confirmed = "confirmed now" if found.link.verified_at == NOW else "not confirmed"
    written = "written" if found.changed else "unchanged"
    return f"{flagged(found.flags)} ({written}); {confirmed}; {found.failures} in a row"


def recheck_page() -> str:
    """Return the page of asking providers again."""
    before = [Flags(linked=one, invalid=two) for one, two in product((True, False), repeat=2)]
    columns = [("`confirmed`", Said.CONFIRMED, 0), ("`revoked`", Said.REVOKED, 0), ("`failed`", Said.FAILED, 0)]
    columns += [(f"`failed`, {GRACE - 1} times before", Said.FAILED, GRACE - 1), ("`unasked`", Said.UNASKED, 0)]
    rows = [(flagged(flags), *(checked(flags, times, said) for _, said, times in columns)) for flags in before]
    return page(
        "# Asking providers again",
        prose(recheck),
        "Defined in `authflow.sso.recheck`. What the membership says, by what it said before and what came of asking:",
        grid(("the membership said", *(name for name, _, _ in columns)), rows),
        f"A link is due {recheck.INTERVAL // timedelta(hours=1)} hours after it was last asked about, up to "
        f"{recheck.SKEW // timedelta(hours=1)} hours earlier by chance; {recheck.BATCH} are taken at a time. A "
        "person who is no member any more loses the link. That a link was not confirmed for long is the concern of "
        "[access](access.md), at every request.",
    )


# --- opening ----------------------------------------------------------------------------------------------------------


def opening_page() -> str:
    """Return the page of the table by which a setup begins."""
    refused: dict[Callable[[Opening], Refused | None], set[Code]] = {row: set() for row in opening.TABLE}
    for one in openings():
        row, answer = next(((row, answer) for row in refused if (answer := row(one)) is not None), (None, None))
        if row is not None and answer is not None:
            refused[row].add(answer.code)
    rows = [
        (number, f"`{row.__name__}`", sentence(row), ", ".join(refusal(code) for code in sorted(found)))
        for number, (row, found) in enumerate(refused.items(), 1)
    ]
    return page(
        "# Beginning a setup",
        prose(opening),
        "Defined in `authflow.sso.opening`; `refusal(opening)` returns what the first row refuses with that applies.",
        grid(("row", "name", "what it says", "refuses with"), rows),
        "## What is looked at",
        prose(opening.Opening),
        "What comes after is a machine: [sso.setup](../machines/sso.setup.md).",
    )


# --- pages ------------------------------------------------------------------------------------------------------------

PAGES: Final = {
    "opening": ("whether a setup may begin, in the order in which it is asked", opening_page),
    "finishing": ("what becomes of an identity, in the order in which it is asked", finishing_page),
    "unasked": ("what becomes of one that nobody had asked for, but that came from the provider", unasked_page),
    "linking": ("what becomes of links that want each other's place", linking_page),
    "access": ("who may act in an organization that requires its provider", access_page),
    "recheck": ("what asking a provider again makes of a membership", recheck_page),
    "composition": (
        "invitation, single sign-on, second factor and policy, with an outcome in each cell",
        composition_page,
    ),
}


def index_page() -> str:
    """Return the page that lists the tables."""
    rows = [(f"[{name}]({name}.md)", what) for name, (what, _) in PAGES.items()]
    return page(
        "# Tables",
        "Decisions that are pure functions and no machines: each table is made by asking the very function that runs "
        "in production, so it cannot be out of date.",
        grid(("table", "what it says"), rows),
        "\n".join(["```{toctree}", ":hidden:", "", *PAGES, "```"]),
    )


def table_pages(docs: Path) -> dict[Path, str]:
    """Return every page of tables by its path."""
    found = {docs / "tables" / f"{name}.md": written() for name, (_, written) in PAGES.items()}
    return {docs / "tables" / "index.md": index_page(), **found}
