"""`annotate`, `agreement`, `--votes`: as docs/people.md tells to type them."""

import json
import re
import shlex
import subprocess
import sys
import urllib.error
import urllib.request
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


@pytest.fixture
def served(folder):
    """Serve the page for these arguments; what it answers to an address, then the votes."""
    started = []

    def serve(*arguments):
        command = [sys.executable, "-m", "aas_bench", "annotate", *arguments]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        started.append(process)
        url = re.search(r"http://\S+", process.stdout.readline())[0].rstrip("/")

        def ask(path, body=None):
            sent = None if body is None else json.dumps(body).encode()
            request = urllib.request.Request(url + path, data=sent)
            request.add_header("Content-Type", "application/json")
            try:
                return urllib.request.urlopen(request, timeout=30).read()
            except urllib.error.HTTPError as error:
                return error.read().decode()

        return ask

    yield serve
    for process in started:
        process.kill()
        process.communicate()


def laid_out(folder, layout):
    """Two pairs of images without a table, in a layout that `--images` takes."""
    options = []
    for number in range(2):
        for side in ("original", "distorted"):
            file = folder / layout.format(number=number, side=side)
            file.parent.mkdir(parents=True, exist_ok=True)
            picture(number).save(file)
    for place in ("", "original", "distorted") if "two/" in layout else ("",):
        options += ["--images", str(folder / layout.partition("/")[0] / place)]
    return options[2:] if "two/" in layout else options


@pytest.mark.parametrize(
    "layout", ["one/{number}_{side}.png", "one/{side}/{number}.png", "two/{side}/{number}.png"]
)
def test_images_without_a_table_are_voted_on(served, folder, layout):
    options = laid_out(folder, layout)
    ask = served(*options, "--question", "Which is more blurred?", "-o", "by-hand.jsonl")
    told = json.loads(ask("/question?rater=Ada"))
    assert (told["total"], told["prompt"]) == (2, "Which is more blurred?")
    assert all(ask(address)[:4] == b"\x89PNG" for address in told["images"])
    ask("/vote", {"rater": "Ada", "row": told["row"], "answer": "left", "ms": 1})
    [vote] = map(json.loads, Path("by-hand.jsonl").read_text().splitlines())
    assert vote["pair_id"] in ("0", "1")


def test_prompts_beside_the_images_are_asked(served, folder):
    options = laid_out(folder, "one/{number}/{side}.png")
    for number in range(2):
        (folder / f"one/{number}/prompt.txt").write_text(f"a blurred house {number}")
    ask = served(*options, "-o", "by-hand.jsonl")
    assert json.loads(ask("/question?rater=Ada"))["prompt"].startswith("a blurred house")


def test_named_raters_are_offered_and_nobody_else_votes(served):
    ask = served("-d", "pairs.jsonl", "-o", "named.jsonl", "--rater", "Bo", "--rater", "Ada")
    assert json.loads(ask("/raters")) == {"Bo": 0, "Ada": 0}
    orders = []
    for rater in ("Ada", "Bo"):
        told = json.loads(ask(f"/question?rater={rater}"))
        orders.append(told["images"])
        ask("/vote", {"rater": rater, "row": told["row"], "answer": "tie", "ms": 1})
    assert orders[0] != orders[1]
    body = {"rater": "Eve", "row": 0, "answer": "left", "ms": 1}
    assert ask("/vote", body) == "'Eve' is none of those who vote here: Bo, Ada."
    votes = [json.loads(line) for line in Path("named.jsonl").read_text().splitlines()]
    assert [vote["rater"] for vote in votes] == ["Ada", "Bo"]


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["agreement", "absent.jsonl"], "absent.jsonl: there is no such file"),
        (["agreement", "votes.jsonl", "--with", "people.csv"], "has no column 'pair_id'. Add it"),
        (["annotate", "-d", "pairs.jsonl", "-o", "no/votes.jsonl"], "Make it first."),
        (["annotate", "-o", "v.jsonl"], "give --data PAIRS, also a sample of them; or --images"),
        (["annotate", "-d", "loose", "--images", "loose", "-o", "v.jsonl"], "give --data PAIRS"),
        (["annotate", "-d", "loose", "--question", "?", "-o", "v.jsonl"], "give --data PAIRS"),
        (["annotate", "--images", "nowhere", "-o", "v.jsonl"], "nowhere: there is no such file"),
        (["annotate", "--images", "loose", "-o", "v.jsonl"], "Name them 17_original.png and"),
        (["annotate", "--images", "mute", "-o", "v.jsonl"], "Say what all images are to do"),
        (["annotate", "--images", "half", "-o", "v.jsonl"], "'3' has no image distorted"),
        (
            ["annotate", "--images", "loose", "--images", "half", "-o", "v.jsonl"],
            "has no image distorted",
        ),
    ],
)
def test_mistakes_are_told_in_one_line(run, folder, arguments, line):
    Path("people.csv").write_text("rating,x\n1,2\n")
    for name in (
        "loose/a",
        "loose/b",
        "half/3_original",
        "half/4_original",
        "half/4_distorted",
        "mute/5_original",
        "mute/5_distorted",
    ):
        Path(name).parent.mkdir(exist_ok=True)
        picture(1).save(f"{name}.png")
    outcome = run(*arguments)
    assert (outcome.code, outcome.out) == (2, "")
    assert line in outcome.err
    assert len(outcome.err.splitlines()) == 1
