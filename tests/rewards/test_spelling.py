"""The grammar of specs: every spelling, every door, and no string that ends in a traceback.

The doors: `load_reward`, `score` in Python and on the command line, `check-reward`, the "images"
configuration of both metrics as `evaluate` loads them, and `--rewards` of the leaderboard.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from support.toy_pairs import dataset, picture, rows
from support.toy_rewards import ToyDual

import aas_bench
from aas_bench.cli import app
from aas_bench.errors import AasBenchError, InputError
from aas_bench.metric import metric_path
from aas_bench.registry import Registry, import_object
from aas_bench.rewards import catalog
from aas_bench.rewards.catalog import PREFIXES, REWARDS, check_spelling, load_reward
from aas_bench.rewards.facts import RewardRow, Weights
from aas_bench.rewards.spelling import parse
from aas_bench.tables.scores import load_scores

TOLD = {"summary": "Made up.", "family": "dual", "unit": "x", "licence": "x", "paper": "x"}


class Asked(list):
    """What the loader of `toy` was asked for, and the models that it made."""

    def __init__(self):
        super().__init__()
        self.models = []


@pytest.fixture
def desk(tmp_path, monkeypatch):
    """A folder to stand in, with a row `toy` whose loader notes what it is asked for."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    (tmp_path / "run7" / "checkpoint-500").mkdir(parents=True)
    (tmp_path / "HPS.pt").write_bytes(b"x")
    (tmp_path / "own_rewards.py").write_text(
        "from support.toy_rewards import ToyDual\nbuild = lambda: ToyDual('own')\n"
    )
    asked = Asked()

    def load(row, *, device, dtype, weights):
        asked.append((row.weights.repo, row.weights.revision, weights))
        model = ToyDual(row.name)
        asked.models.append((model, device, dtype))
        return model

    monkeypatch.setattr(catalog, "default_device", lambda: "cpu")
    row = RewardRow(
        name="toy",
        load="toy:load",
        weights=Weights(repo="official/toy", revision="f" * 40, file="toy.pt"),
        **TOLD,
    )
    monkeypatch.setattr(
        catalog, "REWARDS", Registry("reward model", [*REWARDS.values(), row], hint="-")
    )
    monkeypatch.setattr(
        catalog,
        "import_object",
        lambda path, **asked: load if path == row.load else import_object(path, **asked),
    )
    yield asked
    sys.modules.pop("own_rewards", None)


OFFICIAL = ("official/toy", "f" * 40)
LOADED = [
    ("toy", "toy", (*OFFICIAL, None)),
    ("toy:./run7/checkpoint-500", None, (*OFFICIAL, Path("run7/checkpoint-500"))),
    ("toy:run7/checkpoint-500", None, (*OFFICIAL, Path("run7/checkpoint-500"))),
    ("toy:HPS.pt", None, (*OFFICIAL, Path("HPS.pt"))),
    ("toy:somebody/tuned", None, ("somebody/tuned", None, None)),
    ("toy:somebody/tuned@abc123", None, ("somebody/tuned", "abc123", None)),
    ("mine=toy:./HPS.pt", "mine", (*OFFICIAL, Path("HPS.pt"))),
    ("mine=toy", "mine", (*OFFICIAL, None)),
    ("contrastive:toy:HPS.pt@0.8", None, (*OFFICIAL, Path("HPS.pt"))),
    ("contrastive:toy:a/b@main@0.8", None, ("a/b", "main", None)),
    ("contrastive:mine=toy@0.5", "contrastive:mine@0.5", (*OFFICIAL, None)),
    ("knob=contrastive:toy@0.5", "knob", (*OFFICIAL, None)),
]


def via_load(spec, *, batch_size=None, **options):
    return load_reward(spec, **options).name


def via_score(spec, **options):
    return aas_bench.score(dataset(rows(1)), [spec], progress=False, **options).rewards[0]


def via_check(spec, **options):
    return aas_bench.check_reward(spec, **options).reward


def typed(*words, **options):
    named = [w for k, v in options.items() for w in (f"--{k.replace('_', '-')}", str(v))]
    app([*map(str, words), *named], standalone_mode=False)


def via_command(spec, **options):
    dataset(rows(1)).to_parquet("pairs.parquet")
    typed("score", "-d", "pairs.parquet", "-r", spec, "-o", "out", "--json", **options)
    return load_scores("out/scores.parquet").rewards[0]


@cache
def metric(name):
    """As `evaluate` loads the script; one load for all spellings."""
    import evaluate

    return evaluate.load(metric_path(name), "images")


def via_metric(name, **columns):
    def call(spec, **options):
        seen = metric(name).compute(
            images_original=[picture(0)],
            images_distorted=[picture(1)],
            prompts=["a cat, blurred"],
            references=[1],
            reward_model=spec,
            **columns,
            **options,
        )
        assert seen["n"] == 1

    return call


via_preference = via_metric("aas_preference")
via_override = via_metric("aas_override", prompts_original=["a cat"])

DOORS = [via_load, via_score, via_check, via_command, via_preference, via_override]
NAMES = ["load", "score", "check", "command", "preference", "override"]


@pytest.mark.parametrize(("spec", "name", "asked"), LOADED, ids=[spec for spec, *_ in LOADED])
@pytest.mark.parametrize("door", DOORS, ids=NAMES)
def test_a_spelling_means_the_same_at_every_door(desk, door, spec, name, asked):
    called = door(spec)
    if called is not None:
        assert called == (name or spec)
    assert desk == [asked]


@pytest.mark.parametrize("door", DOORS, ids=NAMES)
def test_every_door_has_device_dtype_and_batch_size(desk, door):
    door("mine=toy:./HPS.pt", device="cpu", dtype="float32", batch_size=1)
    [(model, device, dtype)] = desk.models
    assert (device, dtype) == ("cpu", "float32")
    assert set(model.largest.values()) <= {1}
    for options in ({"device": "cuda:99"}, {"device": "mps:9"}):
        with pytest.raises(InputError, match=r"there is no device .* here, only cpu"):
            door("toy", **options)


def test_the_submissions_take_every_spelling(desk):
    """A whole run of a built-in generator, whose rewards are spelled in every way."""
    file = Path(__file__).parents[2] / "leaderboard" / "submissions" / "builtin_faithful.yaml"
    by_name = {name or spec: (spec, asked) for spec, name, asked in LOADED}
    rewards = [word for spec, _ in by_name.values() for word in ("-r", spec)]
    typed(
        *("leaderboard", "run", file, "-o", "runs", "--limit", 2, *rewards, "--json"),
        device="cpu",
        reward_dtype="float32",
        reward_batch_size=2,
    )
    [scored] = Path("runs").glob("*/scores.parquet")
    assert load_scores(scored).rewards == tuple(by_name)
    assert desk == [asked for _, asked in by_name.values()]
    assert {device for _, device, _ in desk.models} == {"cpu"}
    assert max(model.largest["images"] for model, *_ in desk.models) == 2


def test_a_module_of_the_current_folder_needs_no_path(desk):
    assert via_load("own_rewards:build") == "own"
    assert via_load("mine=own_rewards:build") == "mine"
    assert via_score("contrastive:own_rewards:build@0.8") == "contrastive:own@0.8"


def test_two_checkpoints_in_one_call(desk):
    table = aas_bench.score(
        dataset(rows(1)), ["toy:./HPS.pt", "toy:./run7", "b=toy:./run7"], progress=False
    )
    assert table.rewards == ("toy:./HPS.pt", "toy:./run7", "b")


MISSPELT = [
    ("", "no reward model is called ''"),
    (":", "no reward model is called ''"),
    ("mine=", "no reward model is called ''"),
    ("toy:", r"Write toy, toy:\./weights or toy:OWNER/NAME"),
    ("toy:./none", r"there is no .*none"),
    ("toy:nothing here", r"is no path that exists and no repository\. Write toy:PATH"),
    ("polish:./HPS.pt", r"polish has no weights to replace\. Write polish\."),
    ("./none", r"there is no file or folder './none'\. Check the path"),
    ("none.safetensors", "there is no file or folder"),
    ("somebody/tuned", r"For a repository of the Hub write hf:somebody/tuned"),
    ("own_rewards", r"is a module\. .* own_rewards:FACTORY"),
    ("own_rewards.py:build", r"is a Python file\. Write own_rewards:build, in its folder"),
    ("own_rewards.py", r"is a Python file\. Write own_rewards:FACTORY"),
    ("HPS.pt", r"no config\.json lies beside it\. .*e\.g\. pickscore:HPS\.pt"),
    ("run7", r"no config\.json lies|config\.json is missing"),
    ("picksore:./HPS.pt", "Did you mean pickscore"),
    ("hpsv21:a", "no module 'hpsv21'.* Or did you mean hpsv2"),
    ("hf:./none", "there is no file or folder none"),
    ("contrastive:toy", "names no strength"),
    ("contrastive:toyy@0.8", "Did you mean toy"),
    ("http://127.0.0.1:80000/toy", r"is no address .* Write http://HOST:PORT/NAME"),
    ("contrastive:http://me@127.0.0.1/toy@0.5", r"is no address .* Write http://HOST:PORT/NAME"),
]


@pytest.mark.parametrize(("spec", "message"), MISSPELT, ids=[spec for spec, _ in MISSPELT])
def test_a_misspelling_gets_the_nearest_right_one(desk, spec, message):
    if spec.startswith("hf:"):
        pytest.importorskip("transformers")
    with pytest.raises(InputError, match=message):
        load_reward(spec)


def test_advice_can_be_followed():
    """No message or page names an option that the command line does not have."""
    package = Path(aas_bench.__file__).parent
    for file in package.glob("rewards/*.py"):
        assert "--weights" not in file.read_text(encoding="utf-8"), file


@given(st.text())
@example("\0")
@example("~nobody/x")
@example("/" + "x" * 5000)
@example("polish:" + "y" * 5000)
@example("\ud800")
def test_no_text_ends_in_a_traceback(text):
    with suppress(AasBenchError):
        assert parse(text, rows=REWARDS, prefixes=PREFIXES).text in text


HEADS = st.sampled_from(["polish", "random", "hf", "contrastive", "open_clip", "a=polish", "x"])
ENDS = st.one_of(st.text(max_size=12), st.sampled_from(["./none", "/", "a.b:c", "polish@1", "@"]))


@given(HEADS, st.sampled_from([":", "", "/", "="]), ENDS)
@example("hf", ":", "\0")
@example("open_clip", ":", "ViT-B-32:\0")
@example("open_clip", ":", "ViT-B-32//none.pt")
@example("pickscore", ":", "/\0.pt")
@example("http", ":", "//[")
@example("http", ":", "//127.0.0.1:1/" + "x" * 5000)
@example("http", ":", "//127.0.0.1:1/\ud800")
@example("http", ":", "//127.0.0.1\0:1/x")
def test_no_spec_ends_in_a_traceback(head, colon, end):
    pytest.importorskip("open_clip")
    with pytest.MonkeyPatch.context() as patch:
        import huggingface_hub.constants as constants

        patch.setattr(constants, "HF_HUB_OFFLINE", True)
        patch.setattr(constants, "HF_HUB_CACHE", os.devnull + "/none")
        with suppress(AasBenchError):
            model = load_reward(head + colon + end, device="cpu")
            assert np.isfinite(model.score([picture(0)], ["a"])).all()


def test_checking_the_spelling_loads_nothing(desk):
    check_spelling("pickscore:./run7/checkpoint-500")
    check_spelling("own_rewards:build")
    assert desk == []
    assert "own_rewards" not in sys.modules
