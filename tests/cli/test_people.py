"""`annotate`, `agreement`, `--votes`: as docs/people.md tells to type them."""

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest
from support.toy_pairs import picture, rows

from aas_bench.tables.votes import Vote, VotesFile, digest

PAGE = (Path(__file__).parents[2] / "docs" / "people.md").read_text(encoding="utf-8")
COMMANDS = [
    shlex.split(line)[1:]
    for block in re.findall(r"```bash\n(.*?)```", PAGE, re.DOTALL)
    for line in block.splitlines()
]
VOTING = COMMANDS[0]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A table of pairs with labels, beside it votes of two people."""
    monkeypatch.chdir(tmp_path)
    lines = []
    file = VotesFile(tmp_path / "votes.jsonl")
    for i, row in enumerate(rows(12, ("one",))):
        for side in ("original", "distorted"):
            picture(2 * i + (side == "distorted")).save(f"{i}_{side}.png")
            row[f"image_{side}"] = f"{i}_{side}.png"
        row["label"] = i % 2
        row["dimensions"] = ["clarity"] if i < 6 else ["emotion"]
        lines.append(json.dumps(row))
        for rater in ("Ada", "Bo"):
            choice = i % 2 if i % 5 else 1 - i % 2
            asked = digest(row["prompt_distorted"])
            vote = Vote(pair_id=row["pair_id"], rater=rater, choice=choice, asked=asked)
            file.append(vote)
    file.close()
    (tmp_path / "pairs.jsonl").write_text("\n".join(lines))
    return tmp_path


def test_the_page_names_every_command():
    assert [c[0] for c in COMMANDS] == ["annotate", "agreement", "score", "analyse", "report"]


def test_the_voting_page_starts_as_the_page_says_and_tells_where_it_is(folder):
    command = [sys.executable, "-m", "aas_bench", *VOTING]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert re.match(r"vote at http://127\.0\.0\.1:\d+/ \(end with", process.stdout.readline())
        process.send_signal(2)
        out, err = process.communicate(timeout=30)
    finally:
        process.kill()
    assert (process.returncode, out, err) == (0, "votes: votes.jsonl\n", "")


def test_votes_become_agreement_labels_and_an_audited_accuracy(run, folder):
    agreement, score, analyse, report = COMMANDS[1:]
    outcome = run(*agreement)
    assert outcome.code == 0, outcome.err
    assert outcome.out.startswith("12 pairs judged by 2 people")
    assert "Ada and Bo: kappa 1.000" in outcome.out
    assert "label against people: kappa" in outcome.out
    assert "emotion" in outcome.out
    labels = pq.read_table("labels.parquet").to_pandas().set_index("pair_id")
    assert labels.loc["one/0005", ["label", "Ada_selected", "Bo_selected"]].tolist() == [0, 0, 0]
    told = run(*agreement, "--json").json
    assert told["overall"]["judges"]["label"]["same"]["value"] == pytest.approx(9 / 12)

    assert run(*score).code == 0
    outcome = run(*analyse)
    assert outcome.code == 0, outcome.err
    assert "People confirmed 75 %" in " ".join(outcome.out.split())
    found = {m["measure"]: m for m in run(*analyse, "--json").json["measurements"]}
    scores = pd.read_parquet(folder / "run" / "scores.parquet").set_index("pair_id")
    chose = scores["random_didp"] > scores["random_oidp"]
    expected = (chose == (labels["label"] == 1)).mean()
    # Everybody looked at every pair, so people's own accuracy is what remains.
    assert found["accuracy_audited"]["value"] == pytest.approx(expected)
    assert run(*report).code == 0
    page = (folder / "page" / "index.html").read_text(encoding="utf-8")
    assert "With the labels&#39; errors allowed for" in page
    assert run(*report[:2], *report[4:-1], "plain").code == 0
    assert "Labels are taken as true" in (folder / "plain" / "index.html").read_text("utf-8")


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["agreement", "absent.jsonl"], "Give the votes that `aas-bench annotate` wrote."),
        (["agreement", "votes.jsonl", "--with", "people.csv"], "has no column 'pair_id'. Add it"),
        (["annotate", "-d", "pairs.jsonl", "-o", "no/votes.jsonl"], "Make it first."),
    ],
)
def test_mistakes_are_told_in_one_line(run, folder, arguments, line):
    Path("people.csv").write_text("rating,x\n1,2\n")
    outcome = run(*arguments)
    assert (outcome.code, outcome.out) == (2, "")
    assert line in outcome.err
    assert len(outcome.err.splitlines()) == 1
