"""What is set up wrong is named before its scores are believed, and what is right passes."""

import json
import random
import sys

import numpy as np
import pytest
from support.toy_pairs import dataset, rows
from support.toy_rewards import ToyCross, ToyDual, length_and_light

import aas_bench
from aas_bench.checks.check_reward import check_reward
from aas_bench.errors import InputError
from aas_bench.rewards.catalog import REWARDS, load_reward

BUILT_IN = [name for name, row in REWARDS.items() if row.weights is None]


def blind(images, prompts):
    return [image.entropy() for image in images]


def declared(images, prompts):
    return blind(images, prompts)


declared.reads_prompts = False


def over_the_call(images, prompts):
    """A softmax over the call, as a trainer's loss takes it."""
    likes = np.exp(length_and_light(images, prompts) / np.float64(100))
    return likes / likes.sum()


def blind_over_the_call(images, prompts):
    likes = np.exp(blind(images, prompts))
    return likes / likes.sum()


def by_chance(images, prompts):
    return [random.random() for _ in images]


def dropout(images, prompts):
    """Reads the prompt, and shakes a little."""
    return [s + 5 * random.random() for s in length_and_light(images, prompts)]


def of_nan(images, prompts):
    return [float("nan")] * len(images)


def at_most_two(images, prompts):
    if len(images) > 2:
        msg = "at most 2 images"
        raise ValueError(msg)
    return length_and_light(images, prompts)


class Wild(ToyDual):
    def combine(self, images, prompts):
        return np.full(len(images), np.nan)


class Late(ToyDual):
    """Fails only in a call with several images."""

    def encode_images(self, images):
        if len(images) > 1:
            msg = "batch must be 1"
            raise ValueError(msg)
        return super().encode_images(images)


class WithTokens(ToyDual):
    def __init__(self, unknown):
        super().__init__("with-tokens")
        self.unknown = unknown

    def unknown_tokens(self, prompts):
        return np.full(len(prompts), self.unknown)


def failed(check):
    return {finding.probe for finding in check.findings if finding.outcome == "fail"}


@pytest.mark.parametrize(
    ("model", "faults"),
    [
        (blind, {"prompt"}),
        (over_the_call, {"batch"}),
        (blind_over_the_call, {"prompt", "batch"}),
        (by_chance, {"repeat"}),
        (dropout, {"repeat"}),
        (of_nan, {"runs"}),
        (Wild(), {"finite"}),
        (at_most_two, {"runs"}),
        (Late(), {"runs"}),
        (WithTokens(0.3), {"tokens"}),
    ],
)
def test_each_fault_is_named(model, faults):
    check = check_reward(model)
    assert failed(check) == faults
    assert not check.passed
    assert f"failed {len(faults)} of" in str(check)


@pytest.mark.parametrize(
    "model",
    [ToyDual(), ToyCross(), length_and_light, declared, WithTokens(0.02), *BUILT_IN],
    ids=lambda model: getattr(model, "name", getattr(model, "__name__", model)),
)
def test_a_good_model_passes(model):
    check = check_reward(model)
    assert check.passed, str(check)
    json.dumps(check.to_dict(), allow_nan=False)


def test_the_batch_size_is_that_of_the_run():
    assert failed(check_reward(at_most_two, batch_size=2)) == set()
    assert check_reward(Late(), batch_size=1).passed
    [found] = check_reward(Late()).findings
    assert "ValueError (batch must be 1); only in calls of up to 8" in found.text
    with pytest.raises(InputError, match="batch_size=0 is too small"):
        check_reward(blind, batch_size=0)


def test_what_chance_does_is_not_taken_for_the_prompt():
    by_probe = {f.probe: f for f in check_reward(by_chance).findings}
    assert by_probe["prompt"].outcome == "not checked"


class InAColumn(ToyDual):
    def combine(self, images, prompts):
        return super().combine(images, prompts)[:, None]


def test_a_class_may_give_a_column_as_a_function_may():
    assert check_reward(InAColumn()).passed
    table = aas_bench.score(dataset(rows()), InAColumn(), progress=False)
    plain = aas_bench.score(dataset(rows()), ToyDual(), progress=False)
    np.testing.assert_array_equal(table.cells("toy").didp, plain.cells("toy").didp)


def test_a_job_gives_its_own_prompts_and_size():
    found = {f.probe: f for f in check_reward(ToyDual(), pairs=dataset(rows())).findings}
    table = list(rows())
    prompts = {row[c] for row in table for c in ("prompt_original", "prompt_distorted")}
    assert found["cut"].value == pytest.approx(np.mean([len(p) > 40 for p in prompts]))
    assert f"for {len(table)} pairs" in found["cost"].text


def test_rows_say_whether_they_read_prompts():
    """The fact of the catalogue is that of the model."""
    pytest.importorskip("torch")
    from aas_bench.rewards.aesthetic import ImageOnly

    blind_rows = {row.name for row in REWARDS.values() if row.family == "image-only"}
    assert blind_rows == {"polish", "laion-aesthetic", "aesthetic-v2.5"}
    assert not load_reward("polish").reads_prompts
    assert not load_reward("contrastive:polish@0.5").reads_prompts
    assert not ImageOnly.reads_prompts


class TestBeforeEachRun:
    def test_a_model_that_no_prompt_moves_stops(self, tmp_path):
        for model in (blind, blind_over_the_call, WithTokens(0.3)):
            with pytest.raises(InputError, match=r"accept_prompt_blind=True"):
                aas_bench.score(dataset(rows()), model, out=tmp_path / "run", progress=False)
            assert not (tmp_path / "run" / "run.json").exists()
            table = aas_bench.score(
                dataset(rows()),
                model,
                out=tmp_path / "run",
                progress=False,
                accept_prompt_blind=True,
            )
            assert len(table) == 15
            for file in sorted((tmp_path / "run").rglob("*"), reverse=True):
                file.unlink() if file.is_file() else file.rmdir()

    @pytest.mark.parametrize("prompts", ["both", "distorted"])
    def test_a_prompt_that_no_pair_shares_still_tells(self, prompts):
        one = dataset(rows(1, generators=("one",)))
        aas_bench.score(one, ToyDual(), prompts=prompts, progress=False)
        with pytest.raises(InputError, match="whatever the prompt says"):
            aas_bench.score(one, blind, prompts=prompts, progress=False)

    def test_what_is_found_stands_with_the_run(self, tmp_path, caplog):
        for model, probe in ((over_the_call, "batch"), (by_chance, "repeat"), (declared, None)):
            out = tmp_path / model.__name__
            aas_bench.score(dataset(rows()), model, out=out, progress=False)
            [(name, found)] = json.loads((out / "run.json").read_text())["checks"].items()
            assert name == model.__name__
            failed_probes = {f["probe"] for f in found if f["outcome"] == "fail"}
            assert failed_probes == {probe} - {None}
        told = [r.getMessage().partition(":")[0] for r in caplog.records]
        assert [text for text in told if text.startswith("reward model")] == [
            "reward model 'over_the_call'",
            "reward model 'by_chance'",
        ]

    def test_it_asks_for_four_scores_again(self):
        model = ToyDual()
        aas_bench.score(dataset(rows()), model, progress=False)
        both = ("image_original", "image_distorted")
        images = {row[c]["bytes"] for row in rows() for c in both}
        assert model.n["images"] == len(images) + 4

    def test_what_it_meets_does_not_end_a_run(self):
        """A model that cannot take a single item alone: the run never asks it for one."""

        class Crowd(ToyDual):
            def encode_images(self, images):
                assert len(images) > 1
                return super().encode_images(images)

        table = aas_bench.score(dataset(rows()), Crowd(), progress=False)
        assert not np.isnan(table.cells("toy").didp).any()


@pytest.fixture
def typed(tmp_path, monkeypatch, run):
    """The command line in a folder with a module of reward models."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    (tmp_path / "own_models.py").write_text(
        "from support.toy_rewards import ToyDual\n"
        "def good(): return ToyDual('good')\n"
        "def blind(): return lambda images, prompts: [i.entropy() for i in images]\n"
    )
    dataset(rows()).to_parquet(tmp_path / "pairs.parquet")
    yield run
    sys.modules.pop("own_models", None)


def test_the_command(typed):
    code, out, _ = typed("check-reward", "own_models:good", "-d", "pairs.parquet", "--json")
    assert (code, json.loads(out)["passed"]) == (0, True)
    code, out, _ = typed("check-reward", "own_models:blind")
    assert code == 1
    assert "fail         prompt  an image scores the same whatever the prompt says" in out
    assert typed("check-reward", "own_models:none")[0] == 2


def test_a_run_stops_in_one_line_and_goes_on_when_told(typed, tmp_path):
    command = ["evaluate", "-d", "pairs.parquet", "-r", "own_models:blind", "-o", "run"]
    code, out, err = typed(*command)
    assert (code, out, len(err.splitlines())) == (2, "", 1)
    assert "--accept-prompt-blind" in err
    assert "accept_prompt_blind=" not in err
    code, _, err = typed(*command, "--accept-prompt-blind")
    assert code == 0, err
    for report in ("run/report", "again"):
        if report == "again":
            assert typed("report", "run", "--out", "again")[0] == 0
        page = (tmp_path / report / "index.html").read_text()
        foot = page[page.index("Where these numbers come from") :]
        assert "check of own_models:blind" in foot
        assert "whatever the prompt says" in foot
