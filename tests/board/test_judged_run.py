"""A generator's images before judges: the same measures as the published ones."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from support.loopback_apis import openrouter_error
from support.loopback_judge import JudgeService, choose
from typer.testing import CliRunner

from aas_bench.board.entries import Lookup, same_judges
from aas_bench.board.model_page import model_page
from aas_bench.board.paired import ScoreFiles
from aas_bench.board.tabs.generator_shift import COLUMNS, generator_rows
from aas_bench.cli import app
from aas_bench.records.accept import accepted, check_folder
from aas_bench.records.make_records import add_run

pytest.importorskip("openai")

LEADERBOARD = Path(__file__).parents[2] / "leaderboard"


def _say(seen):
    if "questions" in seen.task:
        return {
            each["key"]: "no" if "only_if" not in each else "not applicable"
            for each in seen.task["questions"]
        }
    if "caption" in seen.task:
        return {"why": "", "main_concept": 80, "requested_effects": 30}
    return choose("neither")


def test_a_run_asks_judges_in_each_way(leaderboard, builtin, tmp_path, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-any")
    monkeypatch.setenv("AAS_BENCH_CACHE", str(tmp_path / "cache"))
    command = ["run", builtin[1], "--out", tmp_path / "run", "--limit", 2, "-r", "polish"]
    command += ["--judge", "j=openai:m"]
    with JudgeService(_say).running() as service:
        monkeypatch.setenv("OPENAI_BASE_URL", service.url)
        code, stdout, _ = leaderboard(*command)
        n_asked = len(service.asked)
        assert leaderboard(*command)[0] == 0
        assert len(service.asked) == n_asked
    assert code == 0
    assert "Judge prefers the request" in stdout
    record = json.loads((tmp_path / "run" / "builtin_polish" / "result.json").read_bytes())
    # `polish` gives one and the same picture twice: a tie, and no difference of any mark.
    judged = {(each["measure"], each["group"]): each["value"] for each in of_judges(record)}
    assert judged == {(name, group): 0 for name in MEASURES for group in (None, "j")}
    assert record["judged"]["missing"]["pairwise"] == {"j": 0}
    assert record["judged"]["answers"]["pairwise"] == {"j": {"ok": 4}}
    assert "questions answered" not in stdout  # as all were
    command[-1] = "k=openai:n"
    with JudgeService(lambda _: openrouter_error(402, "add credit")).running() as service:
        monkeypatch.setenv("OPENAI_BASE_URL", service.url)
        told = " ".join(leaderboard(*command)[1].split())
    assert "builtin_polish: k, graded: 0 of 4 questions answered; " in told
    assert "HTTP 402 (no credit is left)" in told


MEASURES = (
    "llm_win",
    "special_effects_diff",
    "main_concepts_diff",
    "effects_present_diff",
    "effects_strong_diff",
)


def of_judges(record):
    return [each for each in record["measurements"] if each["measure"] in MEASURES]


def _opinion(seen):
    """Each model likes another thing: what it says hangs on the pictures and on who is asked."""
    grey = [image.convert("L").resize((1, 1)).getpixel((0, 0)) for image in seen.images]
    hue = [image.resize((1, 1)).getpixel((0, 0))[0] for image in seen.images]
    strict = seen.body["model"] == "strict"
    if "questions" in seen.task:
        there = (hue if strict else grey)[0] % 2 == 0
        return {
            each["key"]: ("yes" if there else "not applicable" if "only_if" in each else "no")
            for each in seen.task["questions"]
        }
    if "caption" in seen.task:
        return {"why": "", "main_concept": grey[0] % 101, "requested_effects": hue[0] % 101}
    first, second = hue if strict else grey
    return choose("neither" if first == second else "first" if first > second else "second")


@pytest.fixture(scope="module")
def judged_run(tmp_path_factory):
    """A run of the faithful generator before two judges."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("judged")
        patch.setenv("OPENAI_API_KEY", "sk-any")
        patch.setenv("AAS_BENCH_CACHE", str(folder / "cache"))
        with JudgeService(_opinion).running() as service:
            patch.setenv("OPENAI_BASE_URL", service.url)
            file = str(LEADERBOARD / "submissions" / "builtin_faithful.yaml")
            command = ["leaderboard", "run", file, "--out", str(folder / "run"), "--limit", "12"]
            command += ["-r", "polish", "-j", "mild=openai:mild", "-j", "strict=openai:strict"]
            assert CliRunner().invoke(app, command, catch_exceptions=False).exit_code == 0
    return folder / "run" / "builtin_faithful"


@pytest.fixture
def records(judged_run, tmp_path):
    """The record of that run, in a folder of its own."""
    add_run(judged_run, tmp_path / "records", task="counterfactual")
    return tmp_path / "records"


def test_the_record_holds_what_judges_said_and_follows_from_it(judged_run, records):
    [file] = records.rglob("measured.json")
    record = json.loads(file.read_bytes())
    found = {(m["measure"], m.get("group")): m for m in record["measurements"]}
    said = {
        by: pd.read_parquet(next(judged_run.glob(f"judged/*/{by}/judged.parquet")))
        for by in ("pairwise", "graded", "checklist")
    }
    for name in ("mild", "strict"):
        label = said["pairwise"][f"label_{name}"]
        assert found["llm_win", name]["value"] == pytest.approx((label == 1).mean())
        marks = said["graded"]
        change = marks[f"{name}_requested_effects_distorted"]
        change = change - marks[f"{name}_requested_effects_original"]
        assert found["special_effects_diff", name]["value"] == pytest.approx(change.mean())
    both = said["pairwise"][["label_mild", "label_strict"]]
    # Of two judges more than half are both.
    assert found["llm_win", None]["value"] == pytest.approx((both == 1).all(axis=1).mean())
    mean = np.mean([found["main_concepts_diff", n]["value"] for n in ("mild", "strict")])
    assert found["main_concepts_diff", None]["value"] == pytest.approx(mean)
    assert len({found[measure, "mild"]["value"] for measure in MEASURES}) > 2
    assert record["provenance"]["judged"]["judges"][0] == {"name": "mild", "model": "mild"}
    assert record["provenance"]["judged"]["instructions"]["graded"]["version"] == 1
    [verdict] = check_folder(records)
    assert verdict.refused == ()


def _say_more(document):
    document["measurements"][_at(document)]["value"] = 0.99


def _leave_out(document):
    del document["measurements"][_at(document)]


def _at(document):
    keys = [(m["measure"], m.get("group")) for m in document["measurements"]]
    return keys.index(("llm_win", "strict"))


@pytest.mark.parametrize(
    ("edit", "line"),
    [
        (_say_more, "llm_win judge strict: value is 0.99, recomputed 0."),
        (_leave_out, "llm_win judge strict: left out; it is 0."),
    ],
)
def test_a_forged_figure_of_a_judge_is_refused_with_the_difference(records, edit, line):
    [file] = records.rglob("measured.json")
    document = json.loads(file.read_bytes())
    edit(document)
    file.write_text(json.dumps(document))
    [verdict] = check_folder(records)
    assert verdict.refused[0].startswith(line)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("label_note", "a prompt"),
        ("label_x", 7),
        ("mild_requested_effects_original", 101.0),
        ("mild_main_concept_original", None),
    ],
)
def test_columns_that_no_judge_gives_are_refused(records, column, value):
    [file] = records.rglob("measured.json")
    table = file.with_suffix(".parquet")
    frame = pd.read_parquet(table)
    frame = frame.drop(columns=column) if value is None else frame.assign(**{column: value})
    frame.to_parquet(table)
    document = json.loads(file.read_bytes())
    document["scores"]["sha256"] = hashlib.sha256(table.read_bytes()).hexdigest()
    file.write_text(json.dumps(document))
    [verdict] = check_folder(records)
    lines = [line for line in verdict.refused if "columns that do not belong there" in line]
    assert lines or any("not among what its scores give" in line for line in verdict.refused)
    assert verdict.refused


def test_the_board_shows_it_where_the_published_figure_stands(records):
    results = accepted(records)
    table = generator_rows([Lookup(record) for record in results.records])
    at = [column.key for column in COLUMNS].index("llm_win")
    [row] = table
    figure = next(m for m in results.records[0].measurements if m.measure == "llm_win")
    assert (figure.by, row.entries[at].value) == (None, figure.value)
    named = row.entries[[column.key for column in COLUMNS].index("judges")]
    assert named.text == "mild, strict"
    page = model_page(Lookup(results.records[0]), ScoreFiles(folder=records), root="/")
    assert "strict" in page
    assert "Judge prefers the request" in page


def test_figures_of_other_judges_or_other_words_are_not_compared(records):
    [record] = accepted(records).records
    told = record.provenance["judged"]
    other = {**told, "judges": [{**told["judges"][0], "model": "another"}, told["judges"][1]]}
    asked = record.model_copy(update={"provenance": {**record.provenance, "judged": other}})
    assert same_judges(record, record)
    assert not same_judges(record, asked)


def test_provenance_of_any_form_breaks_nothing(records):
    [record] = accepted(records).records
    for odd in ("text", ["list"], None, 7):
        other = record.model_copy(update={"provenance": {**record.provenance, "judged": odd}})
        assert not same_judges(record, other)


def test_a_local_judge_rates_and_what_it_never_answers_is_missing(
    leaderboard, builtin, tmp_path, monkeypatch
):
    """A random model gives marks' probabilities, but no JSON: ratings, and not one answer."""
    pytest.importorskip("transformers")
    from support.tiny_vision_language import write_qwen3_vl

    judge = "aas_bench.judges.vision_language.VisionLanguageJudge.most_tokens"
    monkeypatch.setattr(judge, 3)
    monkeypatch.setenv("AAS_BENCH_CACHE", str(tmp_path / "cache"))
    tiny = write_qwen3_vl(tmp_path / "tiny")
    command = ["run", builtin[0], "--out", tmp_path / "run", "--limit", 1, "-r", "polish"]
    code, _, stderr = leaderboard(*command, "--judge", f"eye=vlm:{tiny}", "--device", "cpu")
    assert code == 0, stderr
    folder = tmp_path / "run" / "builtin_faithful"
    [record] = add_run(folder, tmp_path / "records", task="counterfactual")
    rated = pd.read_parquet(next(folder.glob("judged/*/dimensions/judged.parquet")))
    change = rated["eye_rating_distorted"] - rated["eye_rating_original"]
    assert record.get("delta", reward="eye").value == pytest.approx(change.mean())
    missing = record.get("llm_win", by="judge", group="eye")
    assert (missing.value, missing.coverage) == (None, 0)
    assert missing.reason
    [verdict] = check_folder(tmp_path / "records")
    assert verdict.refused == ()
    assert record.provenance["judged"]["missing"]["dimensions"] == {"eye": 0}


def test_a_run_without_a_judge_has_no_figure_of_one(leaderboard, builtin, tmp_path):
    code, _, _ = leaderboard("run", builtin[1], "--out", tmp_path, "--limit", 2, "-r", "polish")
    record = json.loads((tmp_path / "builtin_polish" / "result.json").read_bytes())
    assert (code, of_judges(record), "judged" in record) == (0, [], False)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--judge", "gpt"], "no judge is called 'gpt'"),
        (["--judge", "openai:m", "--seed-images"], "Leave --judge out"),
        (["--judge", "polish=openai:m", "-r", "polish"], "Label the judge: other=SPEC"),
    ],
)
def test_mistakes_are_found_before_the_images(
    leaderboard, builtin, tmp_path, monkeypatch, arguments, message
):
    monkeypatch.setenv("OPENAI_API_KEY", "unused")
    code, _, stderr = leaderboard("run", builtin[0], "--out", tmp_path / "run", *arguments)
    assert code == 2
    assert message in stderr
    assert not (tmp_path / "run").exists()
