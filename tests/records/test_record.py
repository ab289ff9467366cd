"""A record takes plain, bounded, finite data and nothing else."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from support.result_records import AFTER, pending, record

from aas_bench.measure.measures import MEASURES
from aas_bench.records.collection import parse_record
from aas_bench.records.record import Measurement, Scores, Source, Subject, json_schema

finite = st.floats(allow_nan=False, allow_infinity=False)
texts = st.text(min_size=1, max_size=60).filter(str.isprintable)


@settings(max_examples=60)
@given(
    name=texts,
    reward=st.none() | texts,
    value=st.none() | finite,
    at=st.none() | finite,
    n=st.none(),
)
def test_what_is_written_is_read_back_to_the_last_bit(name, reward, value, at, n):
    one = Measurement(
        measure="delta", reward=reward, value=value, at=at, n=n, reason="because", coverage=0.1
    )
    whole = record(
        subject=Subject(id="model-1", name=name, kind="generator"), measurements=(one, AFTER)
    )
    assert parse_record(whole.to_json()) == whole
    assert parse_record(whole.to_json().encode()) == whole


def test_a_pending_record_has_no_list_of_measurements():
    assert "measurements" not in json.loads(pending().to_json())
    assert parse_record(pending().to_json()) == pending()


def test_the_committed_schema_is_current(board):
    assert (board / "schema.json").read_text(encoding="utf-8") == json_schema(), (
        "write it anew: aas-bench results published --to leaderboard/results"
    )


def test_the_schema_lists_what_a_record_may_hold():
    schema = json.loads(json_schema())
    assert schema["$defs"]["Measurement"]["properties"]["measure"]["enum"] == list(MEASURES)
    assert schema["additionalProperties"] is False
    assert all("description" in p for p in schema["$defs"]["Measurement"]["properties"].values())


@pytest.mark.parametrize("name", list(MEASURES))
def test_every_measure_says_what_it_is(name):
    row = MEASURES[name]
    assert row.label
    assert row.formula
    assert row.spelling.value(None) == "–"
    assert row.spelling.value(-1.0).startswith("−1")


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"schema_version": 2}, "Input should be 1"),
        ({"extra": 1}, "Extra inputs"),
        ({"id": "wide_spectrum/other/published"}, "names subject 'other'"),
        ({"id": "lapis_art/model-1/published"}, "names task 'lapis_art'"),
        ({"id": "wide_spectrum/../model-1"}, "match pattern"),
        ({"id": "wide_spectrum/model-1/published\n"}, "match pattern"),
        ({"task": "wide_spectrun"}, "Did you mean wide_spectrum"),
        ({"source": None}, "needs its source"),
        ({"status": "measured"}, "needs its scores and provenance"),
        ({"status": "pending"}, "a pending record has no measurements"),
        ({"measurements": ()}, "a record that is not pending has measurements"),
        ({"measurements": (AFTER, AFTER)}, "two measurements are after hpsv3"),
        ({"provenance": {"seed": float("nan")}}, "finite"),
        ({"provenance": {"deep": [{"seed": float("inf")}]}}, "finite"),
    ],
)
def test_an_inconsistent_record_is_refused(changes, match):
    with pytest.raises(ValidationError, match=match):
        record(**changes)


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"measure": "acuracy"}, "Did you mean accuracy"),
        ({"value": float("nan")}, "finite"),
        ({"high": float("inf")}, "finite"),
        ({"at": float("-inf")}, "finite"),
        ({"value": "1"}, "valid number"),
        ({"value": None}, "needs a reason"),
        ({"by": "emotion"}, "stand together"),
        ({"low": 2.0, "high": 1.0}, "lies above"),
        ({"coverage": 1.01}, "less than or equal to 1"),
        ({"n": -1}, "greater than or equal to 0"),
        ({"n": 1.5}, "valid integer"),
        ({"group": "x" * 201, "by": "emotion"}, "at most 200"),
        ({"group": "a\x1b[31mb", "by": "emotion"}, "cannot be printed"),
    ],
)
def test_a_wrong_number_is_refused(changes, match):
    with pytest.raises(ValidationError, match=match):
        Measurement(**({"measure": "accuracy", "value": 0.5} | changes))


@pytest.mark.parametrize(
    "name", ["", "x" * 201, "two\nlines", "a\x00b", "right\u202eleft", "zero\u200bwidth", "\ud800"]
)
def test_a_name_that_steers_the_text_is_refused(name):
    with pytest.raises(ValidationError):
        Subject(id="a", name=name, kind="generator")


@pytest.mark.parametrize(
    "name", ["<script>alert(1)</script>", '"><img onerror=x>', "../../etc", "名"]
)
def test_markup_in_a_name_is_text_and_kept_as_it_is(name):
    kept = record(subject=Subject(id="model-1", name=name, kind="generator"))
    assert parse_record(kept.to_json()).subject.name == name


@pytest.mark.parametrize("subject_id", ["A", "a b", "../x", "a/b", "a--", "-a", "", "a" * 65, "ä"])
def test_an_id_is_a_slug(subject_id):
    with pytest.raises(ValidationError, match="id"):
        Subject(id=subject_id, name="x", kind="generator")


@pytest.mark.parametrize(
    "file", ["../scores.parquet", "/etc/scores.parquet", "a/b.parquet", "scores.csv", ".parquet"]
)
def test_scores_stand_in_the_records_folder(file):
    with pytest.raises(ValidationError, match="file"):
        Scores(file=file, sha256="0" * 64, n_pairs=1)


@pytest.mark.parametrize(
    "url", ["http://a.b", "javascript:alert(1)", 'https://a.b/"><x', "https://"]
)
def test_a_source_is_a_plain_https_address(url):
    with pytest.raises(ValidationError, match="url"):
        Source(title="a", url=url, location="b")
