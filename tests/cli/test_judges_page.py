"""The page about judges, typed command by command: three judges, a person, a rater, a generator."""

import hashlib
import json
import re
import shlex
import subprocess
import sys
import urllib.request
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from support.loopback_judge import JudgeService, answer_of_kind, choose, dark_pairs

pytest.importorskip("openai")
pytest.importorskip("torch")

from support.tiny_vision_language import write_qwen3_vl

from aas_bench.tasks.taxonomy import DIMENSIONS

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "judges.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^aas-bench .+$", PAGE, re.MULTILINE)
N = 50


def say(seen):
    """Each model knows dark from bright, and errs in some pairs, others than the others."""
    if "request" not in seen.task or "questions" in seen.task or "caption" in seen.task:
        return answer_of_kind(seen)
    text = f"{seen.body['model']} {seen.task['request']}"
    answer = answer_of_kind(seen)
    if hashlib.sha256(text.encode()).digest()[0] % 10 == 0:
        return choose("first" if answer["choice"] == "second" else "second")
    return answer


def vote_as_the_page_does(command):
    """Serve the page, answer each pair as its prompt asks, end with Ctrl-C."""
    process = subprocess.Popen(
        [sys.executable, "-m", "aas_bench", *command], stdout=subprocess.PIPE, text=True
    )
    try:
        url = re.search(r"http://\S+", process.stdout.readline())[0].rstrip("/")

        def ask(path, body=None):
            sent = None if body is None else json.dumps(body).encode()
            request = urllib.request.Request(url + path, data=sent)
            request.add_header("Content-Type", "application/json")
            return urllib.request.urlopen(request, timeout=30)

        told = json.load(ask("/question?rater=Ada"))
        while told["row"] is not None:
            grey = [np.asarray(Image.open(ask(at)).convert("L")).mean() for at in told["images"]]
            darker, brighter = ("left", "right") if grey[0] < grey[1] else ("right", "left")
            answer = darker if "dark" in told["prompt"] else brighter
            body = {"rater": "Ada", "row": told["row"], "answer": answer, "ms": 5}
            told = json.load(ask("/vote", body))
        process.send_signal(2)
        process.communicate(timeout=30)
    finally:
        process.kill()


@pytest.fixture(scope="module")
def afternoon(tmp_path_factory):
    """The folder in which everything on the page was typed, in its order."""
    from typer.testing import CliRunner

    from aas_bench.cli import app

    folder = tmp_path_factory.mktemp("afternoon")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        (folder / "leaderboard").symlink_to(ROOT / "leaderboard")
        asked = [f"a {('dark', 'bright')[i % 2]} house, number {i}" for i in range(N)]
        pairs = dark_pairs(N, prompts=asked).remove_columns("label")
        pairs.to_parquet("pairs.parquet")
        write_qwen3_vl(folder / "Qwen" / "Qwen3-VL-4B-Instruct")
        keys = [f"{i} image_{shown}" for i in pairs["pair_id"] for shown in ("original",)]
        rated = [(key, dim, len(dim) % 3) for key in keys for dim in DIMENSIONS]
        table = pd.DataFrame(rated, columns=["image", "dimension", "rating"])
        table.to_csv("people.csv", index=False)
        patch.setenv("OPENAI_API_KEY", "sk-any")
        patch.setenv("AAS_BENCH_CACHE", str(folder / "cache"))
        out = {}
        with JudgeService(say).running() as service:
            patch.setenv("OPENAI_BASE_URL", service.url)
            for command in COMMANDS:
                words = shlex.split(command)[1:]
                if words[0] == "annotate":
                    vote_as_the_page_does(words)
                    continue
                found = CliRunner().invoke(app, words, catch_exceptions=False)
                out[command] = (found.exit_code, found.output, len(service.asked))
    return folder, out


def test_the_page_has_every_way_of_asking():
    ways = ("pairwise", "graded", "checklist", "dimensions", "evaluate-dimensions")
    for each in (*(f"judge {way}" for way in ways), "leaderboard run", "annotate", "agreement"):
        assert any(each in command for command in COMMANDS), each


def test_every_command_of_the_page_runs(afternoon):
    _, out = afternoon
    assert {command: code for command, (code, *_) in out.items() if code} == {}
    assert len(out) == len(set(COMMANDS)) - 1


def test_the_afternoon_ends_with_a_doubt_that_is_told(afternoon):
    folder, out = afternoon
    [analysed] = [text for command, (_, text, _) in out.items() if "analyse run --votes" in command]
    told = " ".join(analysed.split())
    assert "People confirmed" in told
    assert "Read off their disagreements, judges err in: gpt" in told
    labels = pd.read_parquet(folder / "labels" / "judged.parquet")
    truth = np.tile([1, 0], N // 2)
    wrong = [(labels[f"label_{name}"] != truth).mean() for name in ("gpt", "gemini", "qwen")]
    assert min(wrong) > 0.02
    assert max(wrong) < 0.4
    assert (folder / "page" / "index.html").is_file()
    n_asked = [n for command, (*_, n) in out.items() if "judge pairwise" in command]
    assert n_asked[:2] == [5 * 2 * 3, N * 2 * 3]  # the trial's answers were kept


def test_the_rater_rates_both_images_of_every_pair(afternoon):
    folder, _ = afternoon
    answers = pd.read_parquet(folder / "ratings" / "answers.parquet")
    assert len(answers) == N * 2 * len(DIMENSIONS)
    three = answers[["p0", "p1", "p2"]].to_numpy()
    np.testing.assert_allclose(three.sum(axis=1), 1)
    np.testing.assert_allclose(three @ [0, 1, 2], answers["prediction"])
