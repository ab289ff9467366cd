"""Content that nobody meant, through every door: an error in one line, never a traceback.

A few thousand cases here, and each that was ever found, from `found/`. The campaign of
docs/reliability.md is `AAS_BENCH_FUZZ=4000 pytest tests/faults/test_fuzz.py`, cases a door; what
breaks is written to the folder that AAS_BENCH_FOUND names.
"""

import hashlib
import json
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from support.doors import DOORS, goes_in

N_CASES = int(os.environ.get("AAS_BENCH_FUZZ", "120"))
FOUND = Path(__file__).with_name("found")
QUIET = list(HealthCheck)

VALUES = (
    *(None, True, False, 0, -1, 1, 7, 2**31, 2**63, -(2**63) - 1, 10**400, 0.5, 1e308, 5e-324),
    *(float("nan"), float("inf"), -float("inf"), "", " ", "\0", "\ud800", "\u202e", "\x1b[31m"),
    *("=1+1", "../../x", "/etc/passwd", "x" * 5000, "nan", "1e999", "0x1", "é" * 300, "\n"),
    *([], {}, [[]], [None], {"": 1}, {"a": {"b": 1}}, [1, "a"], ["a", ["b"]], [0.1] * 300),
)
PIECES = (
    *(b"\0", b"\xff\xfe", b"\xef\xbb\xbf", b"\n", b"\r\n", b'"', b"'", b",", b"\t", b";", b"|"),
    *(b"{", b"}", b"[", b"]", b"[" * 3000, b'{"a":' * 3000, b":", b"- ", b"&a *a", b"!!python/x"),
    *(b"NaN", b"Infinity", b"1e999", b"-1", b"null", b"9" * 5000, b"0", b"\\ud800", b"\\u0000"),
    *(b"\x80", b"\xed\xa0\x80", "\u2028".encode(), b" " * 3000, b"=cmd|' /C calc'!A0", b"~", b"#"),
    *(b"<script>", b"%s%n", b"${x}", b"@", b"hf:", b"../", b"\x1b[31m", b"? ", b"| ", b">\n"),
)


@st.composite
def damaged(draw, seed):
    """A seed with some of its bytes gone, changed, repeated or others between them."""
    content = bytearray(seed)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(content)))
        kind = draw(st.sampled_from(["cut", "flip", "insert", "drop", "repeat"]))
        if kind == "cut":
            del content[at:]
        elif kind == "flip" and at < len(content):
            content[at] ^= 1 << draw(st.integers(0, 7))
        elif kind == "insert":
            content[at:at] = draw(st.sampled_from(PIECES))
        elif kind == "drop":
            del content[at : at + draw(st.integers(1, 40))]
        else:
            content[at:at] = content[at : at + draw(st.integers(1, 40))]
    return bytes(content)


@st.composite
def misfilled(draw, seed):
    """A JSON seed, one or more of its values another; each line of several by itself."""
    lines = seed.decode().splitlines() if seed.count(b"\n{") else [seed.decode()]
    documents = [json.loads(line) for line in lines]
    for _ in range(draw(st.integers(1, 3))):
        which = draw(st.integers(0, len(documents) - 1))
        documents[which] = _changed(draw, documents[which], draw(st.sampled_from(VALUES)))
    return "\n".join(map(json.dumps, documents)).encode()


def _changed(draw, value, new):
    if isinstance(value, dict) and value and draw(st.integers(0, 9)):
        key = draw(st.sampled_from(sorted(value)))
        kind = draw(st.sampled_from(["in", "in", "in", "gone", "more", "renamed"]))
        if kind == "gone":
            return {k: v for k, v in value.items() if k != key}
        if kind == "more":
            return value | {draw(st.sampled_from(["x", "", "\ud800", "a_didp", "label"])): new}
        if kind == "renamed":
            return {(f"{k}x" if k == key else k): v for k, v in value.items()}
        return value | {key: _changed(draw, value[key], new)}
    if isinstance(value, list) and value and draw(st.integers(0, 9)):
        at = draw(st.integers(0, len(value) - 1))
        return [*value[:at], _changed(draw, value[at], new), *value[at + 1 :]]
    return new


def _is_json(seed):
    try:
        [json.loads(line) for line in (seed.splitlines() if seed.count(b"\n{") else [seed])]
    except ValueError:
        return False
    return True


def contents(seeds):
    kinds = [st.binary(max_size=200), *(damaged(seed) for seed in seeds)]
    kinds += [misfilled(seed) for seed in seeds if _is_json(seed)] * 2
    return st.one_of(kinds)


@pytest.mark.parametrize("name", DOORS)
def test_what_is_no_good_is_one_line(name):
    door = DOORS[name]
    seeds = door.seeds()
    door.enter(seeds[0])  # imports what it needs, outside the time that a case has

    @settings(
        max_examples=max(10, int(N_CASES * door.weight)),
        suppress_health_check=QUIET,
        database=None,
        report_multiple_bugs=False,
    )
    @given(contents(seeds))
    @example(b"")
    def bring(content):
        try:
            goes_in(door, content)
        except Exception:
            keep(name, content)
            raise

    bring()


def keep(name, content):
    """Where the campaign asks for it, so that a shrunk case can be kept."""
    if folder := os.environ.get("AAS_BENCH_FOUND"):
        place = Path(folder) / name
        place.mkdir(parents=True, exist_ok=True)
        (place / hashlib.sha256(content).hexdigest()[:12]).write_bytes(content)


@pytest.mark.parametrize("name", DOORS)
def test_what_is_good_is_taken(name):
    """Else the law would hold for a door that lets nothing in."""
    for seed in DOORS[name].seeds():
        assert goes_in(DOORS[name], seed) is None


CASES = sorted(file for file in FOUND.rglob("*") if file.is_file() and file.suffix != ".md")


@pytest.mark.parametrize("case", CASES, ids=lambda file: f"{file.parent.name}/{file.name}")
def test_what_was_found_once_stays_mended(case):
    goes_in(DOORS[case.parent.name], case.read_bytes())
