"""Votes on disk: whole lines, healed ends, the last word counts; and labels made of them."""

import json

import numpy as np
import pandas as pd
import pytest

from aas_bench.errors import InputError, SchemaError
from aas_bench.tables.scores import ScoreTable
from aas_bench.tables.votes import (
    Vote,
    VotesFile,
    VoteTable,
    add_votes,
    majority,
    read_lines,
    read_votes,
    standing,
)


def vote(pair_id, rater, choice, **more):
    return Vote(pair_id=pair_id, rater=rater, choice=choice, **more)


def stored(path, *votes):
    file = VotesFile(path)
    for each in votes:
        file.append(each)
    file.close()
    return path


def test_a_vote_is_on_the_disk_before_it_counts(tmp_path, monkeypatch):
    path, synced = tmp_path / "votes.jsonl", []
    file = VotesFile(path)
    monkeypatch.setattr("os.fsync", lambda _: synced.append(path.read_bytes()))
    file.append(vote("p/ä", "Ada", 1, side="left", ms=12, time="now", asked="x"))
    [line] = synced
    assert json.loads(line) == {
        "pair_id": "p/ä", "rater": "Ada", "choice": 1, "side": "left", "ms": 12, "time": "now",
        "asked": "x",
    }  # fmt: skip
    assert line.endswith(b"\n")
    file.close()


@pytest.mark.parametrize("cut", [1, 5, 20, -2])
def test_a_torn_last_line_is_taken_off_and_the_next_vote_stands(tmp_path, cut):
    path = stored(tmp_path / "votes.jsonl", vote("a", "r", 1), vote("b", "r", 0))
    content = path.read_bytes()
    whole = content.index(b"\n") + 1
    path.write_bytes(content[:whole] + content[whole:][:cut])
    assert [v.pair_id for v in read_lines(path)] == ["a"]
    stored(path, vote("c", "r", -1))
    assert [(v.pair_id, v.choice) for v in read_lines(path)] == [("a", 1), ("c", -1)]


def test_a_last_line_that_lacks_its_end_alone_is_kept(tmp_path):
    path = stored(tmp_path / "votes.jsonl", vote("a", "r", 1), vote("b", "r", 0))
    path.write_bytes(path.read_bytes()[:-1])
    stored(path, vote("c", "r", 1))
    assert [v.pair_id for v in read_lines(path)] == ["a", "b", "c"]


def test_lines_that_are_no_votes_are_told_together(tmp_path):
    path = tmp_path / "votes.jsonl"
    vote_with = '{"pair_id": "a", "rater": "r", "choice": 1, '
    path.write_text(
        '{"pair_id": "a", "rater": "r", "choice": 2}\n[]\n{"rater": "r"}\nx\n'
        + vote_with
        + '"side": "up"}\n'
        + vote_with
        + '"ms": "1"}\n'
    )
    told = (
        "line 1: choice is 2, not 1, 0, -1 or null; line 2: it is no JSON object; "
        "line 3: pair_id is no text; line 4: it is no JSON; "
        "line 5: side is 'up', not left, right or null; and 1 more. Mend or delete these lines"
    )
    with pytest.raises(SchemaError, match=told):
        list(read_lines(path))
    with pytest.raises(InputError, match="Give the votes that `aas-bench annotate` wrote"):
        read_votes([tmp_path / "absent.jsonl"])
    with pytest.raises(InputError, match="Make it first"):
        VotesFile(tmp_path / "absent" / "votes.jsonl")
    with pytest.raises(InputError, match="no votes yet"):
        read_votes([stored(tmp_path / "skips.jsonl", vote("a", "r", None))])


@pytest.mark.parametrize(
    ("field", "message"),
    [
        ('"undo": "false"', "undo is 'false', not true or false"),
        ('"rater": "\\ud800"', "rater is longer than 1,000 characters, or holds half of one"),
        (f'"pair_id": "{"x" * 1001}"', "pair_id is longer than 1,000 characters"),
    ],
)
def test_what_fits_no_table_is_no_vote(tmp_path, field, message):
    line = '{"pair_id": "a", "rater": "r", "choice": 1, ' + field + "}\n"
    (tmp_path / "votes.jsonl").write_text(line)
    with pytest.raises(SchemaError, match=message):
        read_votes([tmp_path / "votes.jsonl"])


def test_the_last_vote_stands_unless_it_was_taken_back():
    votes = [vote("a", "r", 1), vote("b", "r", 1), vote("a", "s", 0), vote("a", "r", 0)]
    votes += [vote("b", "r", None, undo=True)]
    assert [(v.pair_id, v.rater, v.choice) for v in standing(votes)] == [
        ("a", "s", 0), ("a", "r", 0),
    ]  # fmt: skip


def test_one_name_for_two_prompts_is_refused(tmp_path):
    paths = [
        stored(tmp_path / f"{name}.jsonl", vote("a", name, 1, asked=name)) for name in ("x", "y")
    ]
    with pytest.raises(InputError, match="Keep the votes on each dataset in a file of their own"):
        read_votes(paths)


def test_the_majority_is_the_single_most_frequent_choice():
    votes = {
        (1, 1, 0): 1, (0, 0, -1): 0, (-1, -1, 1): -1, (1, 0): -1, (1, -1): -1, (1, 0, -1): -1,
        (0,): 0, (1, 1, 0, 0, -1): -1, (1, 1, 0, -1): 1, (): None,
    }  # fmt: skip
    table = np.full((len(votes), 5), np.nan)
    for row, given in enumerate(votes):
        table[row, : len(given)] = given
    expected = [np.nan if label is None else label for label in votes.values()]
    np.testing.assert_array_equal(majority(table), expected)


def test_votes_make_a_table_that_pairs_and_builders_read():
    table = VoteTable.of(
        [vote("a", "Bo", 1, side="right", ms=1000), vote("b", "Ada", None), vote("a", "Ada", 1)]
    )
    assert table.columns() == {
        "pair_id": ["a"],
        "label": [1],
        "label_source": ["people"],
        "Ada_selected": [1],
        "Bo_selected": [1],
    }
    assert table.n_skipped == {"Ada": 1, "Bo": 0}
    assert table.seconds == {"Ada": None, "Bo": 1.0}
    np.testing.assert_array_equal(table.left, [[np.nan, 0], [np.nan, np.nan]])


def frame(**columns):
    rows = {"pair_id": ["a", "b", "c"], "r_oidp": [0.0] * 3, "r_didp": [1.0, -1.0, 1.0]}
    return ScoreTable.from_frame(pd.DataFrame(rows | columns))


def test_votes_are_the_labels_where_there_are_none_and_an_audit_where_there_are():
    votes = VoteTable.of([vote("a", "r", 1), vote("c", "r", -1), vote("elsewhere", "r", 0)])
    for unlabelled in (frame(), frame(label=[-1, -1, -1])):
        found = add_votes(unlabelled, votes)
        assert found.label.tolist() == [1, -1, -1]
        assert "people_selected" not in found.frame
    labelled = add_votes(frame(label=[0, 1, 1]), votes)
    assert labelled.label.tolist() == [0, 1, 1]
    np.testing.assert_array_equal(labelled.frame["people_selected"], [1, np.nan, -1])
    with pytest.raises(InputError, match="Give the votes on the pairs that were scored"):
        add_votes(frame(), VoteTable.of([vote("z", "r", 1)]))
