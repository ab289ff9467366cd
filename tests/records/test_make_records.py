"""From a run to records, and nothing of the machine in them."""

import hashlib
import json

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import accuracy_score, f1_score, roc_auc_score
from support.score_runs import SCRIPT, score_frame

from aas_bench.errors import InputError, StoreError
from aas_bench.evidence import HUB_ID, NAMES, load_evidence
from aas_bench.generators.spec import load_submission
from aas_bench.pages.generator import measure_generator
from aas_bench.publish.eval_results import model_files
from aas_bench.records.accept import check_folder
from aas_bench.records.collection import load_results, read_record
from aas_bench.records.make_records import add_evidence, add_run, redacted, slug
from aas_bench.records.published import generator_subject
from aas_bench.run.generate import generate
from aas_bench.run.prompts import load_prompts
from aas_bench.tables.scores import load_scores
from aas_bench.tasks.catalog import TASKS


def test_one_record_for_each_reward_model_with_its_own_scores(reward_run, tmp_path):
    board = tmp_path / "board"
    alpha, script = add_run(reward_run(), board)
    assert load_results(board).records == (alpha, script)
    assert alpha.id == "wide_spectrum/alpha/measured"
    assert script.subject.name == SCRIPT
    assert script.subject.id == "hf-org-script-alert-x-script"
    for record in (alpha, script):
        file = board / record.task / record.subject.id / record.scores.file
        assert hashlib.sha256(file.read_bytes()).hexdigest() == record.scores.sha256
        assert load_scores(file).rewards == (record.subject.name,)
        assert len(pd.read_parquet(file)) == record.scores.n_pairs == 60


def test_the_figures_are_those_of_scikit_learn(reward_run, tmp_path):
    run = reward_run()
    frame = pd.read_parquet(run / "scores.parquet")
    alpha, _ = add_run(run, tmp_path / "board")
    margin, label = frame["alpha_didp"] - frame["alpha_oidp"], frame["label"]
    choice = (margin > 0).astype(int)
    assert alpha.get("accuracy").value == pytest.approx(accuracy_score(label, choice), abs=1e-12)
    assert alpha.get("f1").value == pytest.approx(f1_score(label, choice), abs=1e-12)
    assert alpha.get("auroc").value == pytest.approx(roc_auc_score(label, margin), abs=1e-12)
    emotion = np.array(["emotion" in d for d in frame["dimensions"]])
    found = alpha.get("accuracy", by="dimensions", group="emotion")
    assert found.value == pytest.approx(accuracy_score(label[emotion], choice[emotion]), abs=1e-12)
    assert (found.n, found.n_clusters) == (30, 20)
    response = margin - (frame["alpha_diop"] - frame["alpha_oiop"])
    overridden = ((response > 0) & (margin <= 0)).mean()
    assert alpha.get("overridden").value == pytest.approx(overridden, abs=1e-12)
    at_zero = alpha.get("knob_accuracy", at=0.0)
    assert at_zero.value == alpha.get("accuracy").value
    assert alpha.get("knob_accuracy", at=0.15) is not None


def test_a_record_holds_no_folder_prompt_or_image(reward_run, tmp_path):
    board = tmp_path / "board"
    add_run(reward_run(), board)
    for file in board.rglob("*"):
        if file.is_file():
            content = file.read_bytes()
            assert b"private" not in content
            assert b"secret" not in content
            assert str(tmp_path).encode() not in content
    frame = pd.read_parquet(board / "wide_spectrum" / "alpha" / "measured.parquet")
    assert not {"prompt_original", "prompt_distorted", "error"} & set(frame)


def test_photographs_get_their_gap_overall_and_by_category(reward_run, tmp_path):
    frame = score_frame()
    names = ["clarity_and_focus.film_artifacts", "lighting_and_exposure.light_leak"]
    frame["dimensions"] = [names[: 1 + i % 2] for i in range(60)]
    (record,) = add_run(reward_run(frame=frame, source="ava_photos"), tmp_path / "board")
    gap = frame["alpha_oidp"] - frame["alpha_didp"]
    assert record.get("gap").value == pytest.approx(gap.mean(), abs=1e-12)
    leak = record.get("gap", by="category", group=names[1])
    assert leak.value == pytest.approx(gap[1::2].mean(), abs=1e-12)
    assert (leak.n, leak.low < leak.value < leak.high) == (30, True)


def test_emotions_are_named_as_in_the_paper(reward_run, tmp_path):
    frame = score_frame()
    frame["dimensions"] = [[("sad", "angry", "fearful")[i % 3]] for i in range(60)]
    frame["label"] = np.int8(1)
    (record,) = add_run(reward_run(frame=frame, source="emotion_bias"), tmp_path / "board")
    won = (frame["alpha_didp"] > frame["alpha_oidp"])[1::3].mean()
    assert record.get("accuracy", by="emotion", group="angry").value == pytest.approx(won)
    assert record.get("gap") is None


def test_missing_scores_lower_the_coverage_and_are_flagged(reward_run, tmp_path):
    run = reward_run()
    frame = pd.read_parquet(run / "scores.parquet")
    frame.loc[:5, "alpha_didp"] = np.nan
    frame.to_parquet(run / "scores.parquet")
    add_run(run, tmp_path / "board")
    results = load_results(tmp_path / "board")
    assert results.records[0].get("accuracy").coverage == pytest.approx(54 / 60)
    assert list(results.flags()) == ["wide_spectrum/alpha/measured"]


def test_an_earlier_result_is_not_overwritten(reward_run, tmp_path):
    run = reward_run()
    add_run(run, tmp_path / "board")
    with pytest.raises(InputError, match="keep both with another --tag"):
        add_run(run, tmp_path / "board")
    again = add_run(run, tmp_path / "board", tag="second")
    assert again[0].id == "wide_spectrum/alpha/second"
    assert len(load_results(tmp_path / "board").records) == 4


def test_the_task_comes_from_the_run_or_the_caller(reward_run, tmp_path):
    run = reward_run(source="pairs.parquet")
    with pytest.raises(InputError, match="which names no task"):
        add_run(run, tmp_path / "board")
    with pytest.raises(InputError, match="Did you mean emotion_bias"):
        add_run(run, tmp_path / "board", task="emotion_bia")
    assert add_run(run, tmp_path / "board", task="emotion_bias")[0].task == "emotion_bias"


def test_the_authors_id_names_the_task(reward_run, tmp_path):
    run = reward_run(source="weathon/aas_benchmark_final")
    assert add_run(run, tmp_path / "board")[0].task == "wide_spectrum"


def test_what_is_no_run_is_refused(tmp_path, reward_run):
    with pytest.raises(InputError, match=r"neither scores\.parquet nor result\.json"):
        add_run(tmp_path, tmp_path / "board")
    run = reward_run()
    (run / "run.json").write_text("{")
    with pytest.raises(StoreError, match=r"run\.json cannot be read"):
        add_run(run, tmp_path / "board")


@pytest.fixture(scope="module")
def generator_run(tmp_path_factory, submissions):
    """Two built-in prompts made and measured by the built-in generator that follows them."""
    submission = load_submission(submissions / "builtin_faithful.yaml")
    out = tmp_path_factory.mktemp("runs") / submission.id
    made = generate(submission, load_prompts(limit=3), out=out, progress=False)
    measure_generator(made, ("effect-match", "polish"), progress=False)
    return out


def test_a_generator_run_gives_one_record(generator_run, tmp_path, submissions):
    (record,) = add_run(generator_run, tmp_path)
    assert record.id == "counterfactual/builtin_faithful/measured"
    spec = load_submission(submissions / "builtin_faithful.yaml")
    assert record.subject == generator_subject(spec)
    frame = pd.read_parquet(tmp_path / "counterfactual/builtin_faithful/measured.parquet")
    shift = frame["polish_diop"] - frame["polish_oiop"]
    assert record.get("delta", reward="polish").value == pytest.approx(shift.mean(), abs=1e-12)
    assert record.get("complete").value == 1.0
    assert record.get("complete").n == 3
    assert record.get("chosen", reward="effect-match").n == 3
    assert record.provenance["prompts"]["n"] == 3
    assert redacted(record.provenance) == record.provenance
    assert str(generator_run.parent) not in json.dumps(record.provenance)
    (flag,) = load_results(tmp_path).flagged
    assert flag.reason == "3 of the task's 98 pairs"


def test_what_a_whole_result_rests_on():
    assert TASKS["counterfactual"].expected_pairs("generator") == len(load_prompts().prompts)
    assert TASKS["wide_spectrum"].expected_pairs("generator") == 300
    assert TASKS["critical_comparison"].expected_pairs("reward_model") is None


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("/home/me/run/scores.parquet", "scores.parquet"),
        ("~/models/x.safetensors", "x.safetensors"),
        ("C:\\Users\\me\\x.bin", "x.bin"),
        ("--out=/tmp/a/b", "--out=b"),
        ("/tmp/folder/", ""),
        ("openai/clip-vit-large-patch14", "openai/clip-vit-large-patch14"),
        ("https://arxiv.org/abs/2512.11883", "https://arxiv.org/abs/2512.11883"),
        ("leaderboard/submissions/x.yaml", "leaderboard/submissions/x.yaml"),
        ("units/second", "units/second"),
    ],
)
def test_folders_of_absolute_paths_are_left_out(text, left):
    assert redacted({"a": [text, 1, None]}) == {"a": [left, 1, None]}
    assert redacted(left) == left


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("HPSv2.1", "hpsv2.1"),
        ("hf:org/A B", "hf-org-a-b"),
        ("__x__", "x"),
        ("a" * 80, "a" * 64),
        ("../../etc/passwd", "etc-passwd"),
    ],
)
def test_a_name_becomes_an_id(name, expected):
    assert slug(name) == expected


def test_a_name_without_letters_is_refused():
    with pytest.raises(InputError, match="no letter or digit"):
        slug("名前")


def test_the_evidence_becomes_records_that_are_accepted_and_say_what_they_are(tmp_path):
    made = add_evidence(tmp_path, time="2026-01-02T03:04:05+00:00")
    assert [record.subject.name for record in made] == ["HPSv3", "HPSv2", "ImageReward"]
    assert [record.subject.id for record in made] == ["hpsv3", "hpsv2", "image-reward"]
    assert not any(verdict.refused for verdict in check_folder(tmp_path))
    rows = load_evidence()
    for record, column in zip(made, NAMES, strict=True):
        again = read_record(tmp_path / f"{record.id}.json")
        assert again == record
        assert record.status == "measured"
        assert record.subject.revision is None
        assert "300 pairs" in record.subset
        assert record.source.url.endswith(HUB_ID)
        assert record.scores.n_pairs == 300
        stored = pd.read_parquet((tmp_path / record.id).parent / record.scores.file)
        margin = rows[f"{column}_didp"] - rows[f"{column}_oidp"]
        name = record.subject.name
        assert np.array_equal(stored[f"{name}_didp"] - stored[f"{name}_oidp"], margin)
        assert record.get("chosen").value == pytest.approx((margin > 0).mean(), abs=1e-12)
        assert set(stored.select_dtypes(exclude="number")) <= {"pair_id", "model", "dimensions"}


def test_a_subset_is_not_sent_to_a_models_page(tmp_path):
    made = add_evidence(tmp_path, time="2026-01-02")
    files, skipped = model_files(made, {})
    assert not files
    assert len(skipped) == 3
    assert all("rests on a subset: 300 pairs" in str(each) for each in skipped.values())
