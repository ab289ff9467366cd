"""The table of reward models, and everything that `load_reward` takes."""

import ast
import re
import subprocess
import sys
from importlib import invalidate_caches
from importlib.util import find_spec
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from support.toy_pairs import dataset, picture, rows
from support.toy_rewards import ToyDual, length_and_light

from aas_bench.errors import InputError, MissingExtraError, StoreError, UnknownNameError
from aas_bench.registry import Registry
from aas_bench.rewards import catalog
from aas_bench.rewards.catalog import PREFIXES, REWARDS, load_reward
from aas_bench.rewards.facts import RewardRow, Scale, Weights
from aas_bench.run.score import score

ALL = [*REWARDS.values(), *PREFIXES.values()]


@pytest.mark.parametrize("row", ALL, ids=lambda row: row.name)
def test_a_row_names_code_that_exists(row):
    module, _, function = row.load.partition(":")
    spec = find_spec(module)
    assert spec is not None, f"{row.name}: there is no module {module}"
    tree = ast.parse(Path(spec.origin).read_text(encoding="utf-8"))
    assert function in {n.name for n in tree.body if isinstance(n, ast.FunctionDef)}


@pytest.mark.parametrize("row", REWARDS.values(), ids=lambda row: row.name)
def test_a_row_is_sound(row):
    assert re.fullmatch(r"[a-z0-9][a-z0-9.-]*", row.name)
    assert row.name not in PREFIXES
    assert row.dtype in {"float64", "float32", "bfloat16", "float16"}
    assert row.summary.endswith(".")
    assert row.unit
    assert row.difference
    assert row.scale in get_args(Scale)
    # What lies between 0 and 1 and is no probability has no other unit to be analysed in.
    assert (row.scale == "probability") == ("probability" in row.unit)
    assert row.licence
    assert row.paper
    assert row.prompt_limit is None or row.prompt_limit > 0
    low, high = row.score_range
    assert low is None or high is None or low < high
    if row.weights is not None:
        assert row.extra
        assert row.weights.repo or row.weights.page
        assert re.fullmatch(r"[0-9a-f]{40}", row.weights.revision or "0" * 40)


def test_listing_imports_no_model_code():
    code = (
        "import sys\n"
        "from aas_bench.rewards.catalog import REWARDS\n"
        "[str(row) for row in REWARDS.values()]\n"
        "print(*{'torch', 'transformers', 'open_clip', 'datasets'} & set(sys.modules))\n"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == ""


def test_a_reward_model_is_itself():
    model = ToyDual()
    assert load_reward(model) is model


def test_another_name_leaves_the_given_model_alone():
    model = ToyDual("toy")
    renamed = load_reward(model, name="mine")
    assert (renamed.name, model.name) == ("mine", "toy")
    assert renamed.describe()["name"] == "mine"


def test_a_function_is_called_by_its_name():
    model = load_reward(length_and_light)
    assert model.name == "length_and_light"
    assert model.describe()["callable"] == "support.toy_rewards:length_and_light"
    assert model.score([picture(0)], ["abc"]).dtype == "float64"


def test_an_object_that_can_be_called():
    class Scorer:
        def __call__(self, images, prompts):
            return [1.0] * len(images)

    assert load_reward(Scorer()).name == "Scorer"


@pytest.fixture
def module(tmp_path, monkeypatch):
    """Writes a module that the test can name."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def write(source, name="my_rewards"):
        (tmp_path / f"{name}.py").write_text(source)
        sys.modules.pop(name, None)

    yield write
    for name in ("my_rewards", "needs_more"):
        sys.modules.pop(name, None)


def test_a_factory_of_a_function(module):
    module("def build():\n    return lambda images, prompts: [float(len(p)) for p in prompts]\n")
    model = load_reward("my_rewards:build")
    assert model.name == "my_rewards:build"
    assert model.score([picture(0)] * 2, ["abc", ""]).tolist() == [3.0, 0.0]


def test_a_factory_of_a_reward_model(module):
    module("from support.toy_rewards import ToyDual\nbuild = lambda: ToyDual('mine')\n")
    assert load_reward("my_rewards:build").name == "mine"


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("def build():\n    return 7\n", "gives an object of type int. It must be callable"),
        ("build = 7\n", "It must be callable without arguments and return"),
        ("def build():\n    raise OSError('no disk')\n", r"build raised OSError \(no disk\)"),
        ("1 / 0\n", "build raised ZeroDivisionError"),
        ("def other():\n    pass\n", "has no attribute 'build'. Check the spelling"),
    ],
)
def test_a_factory_that_makes_nothing_usable(module, source, message):
    module(source)
    with pytest.raises(InputError, match=message):
        load_reward("my_rewards:build")


def test_a_module_that_is_not_there():
    with pytest.raises(InputError, match="Is it on PYTHONPATH"):
        load_reward("no_such_module:build")


@pytest.mark.parametrize(
    ("name", "near"), [("polsh", "polish"), ("hpsv2.2", "hpsv2.1"), ("Random", "random")]
)
def test_an_unknown_name_gets_near_ones_and_the_command_that_lists_all(name, near):
    with pytest.raises(UnknownNameError, match=rf"Did you mean .*{near}.*aas-bench list") as caught:
        load_reward(name)
    assert "module:factory" in str(caught.value)


@pytest.mark.parametrize("prefix", PREFIXES)
def test_a_prefix_without_argument_says_how_to_write_it(prefix):
    with pytest.raises(InputError, match=f"needs an argument. Write {prefix}:"):
        load_reward(f"{prefix}:")


@pytest.mark.parametrize("spec", [None, 7, {"name": "polish"}])
def test_what_is_no_reward_model(spec):
    with pytest.raises(InputError, match=r"is no reward model. Give a name"):
        load_reward(spec)


def test_weights_for_what_loads_none(tmp_path):
    for spec in (length_and_light, ToyDual(), "my_rewards:build"):
        with pytest.raises(InputError, match="Leave weights out"):
            load_reward(spec, weights=tmp_path)
    with pytest.raises(InputError, match=r"random has no weights. Leave weights out"):
        load_reward("random", weights=tmp_path)


def row_of(load, **facts):
    told = {"summary": "Made up.", "family": "dual", "unit": "x", "licence": "x", "paper": "x"}
    return RewardRow(name="made-up", load=load, **told, **facts)


def only(monkeypatch, row):
    monkeypatch.setattr(catalog, "REWARDS", Registry("reward model", [row], hint="-"))


LOADER = """
from support.toy_rewards import ToyDual
def load(row, *, device, dtype, weights):
    model = ToyDual(row.name)
    model.got = (device, dtype, weights)
    return model
"""


def test_a_row_with_weights_gets_its_official_dtype_and_what_is_asked_for(monkeypatch, module):
    module(LOADER)
    row = row_of("my_rewards:load", dtype="float16", weights=Weights(repo="a/b", file="c"))
    only(monkeypatch, row)
    monkeypatch.setattr(catalog, "default_device", lambda: "cuda")
    monkeypatch.setattr(catalog, "checked_device", lambda device: device)
    assert load_reward("made-up").got == ("cuda", "float16", None)
    assert load_reward("made-up", device="cpu").got == ("cpu", "float32", None)
    asked = load_reward("made-up", device="cuda:1", dtype="bfloat16", weights="w.pt")
    assert asked.got == ("cuda:1", "bfloat16", "w.pt")


def test_a_missing_extra_is_named_with_its_install_command(monkeypatch, module):
    module("import no_such_package\n", name="needs_more")
    only(monkeypatch, row_of("needs_more:load", extra="rewards"))
    with pytest.raises(MissingExtraError, match=r'no_such_package.*pip install "aas-bench\[rew'):
        load_reward("made-up")


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ([1.0, 2.0], r"shape \(2,\) for 1 images. Return one number per image"),
        ([float("inf")], "returned inf. Return finite numbers"),
        ("abc", "returned 'abc'. Return one number per image"),
    ],
)
def test_what_a_function_returns_is_checked_outside_the_engine_too(answer, message):
    with pytest.raises(InputError, match=message):
        load_reward(lambda images, prompts: answer, name="mine").score([picture(0)], ["a"])


def test_a_tensor_with_gradients_is_a_sequence_of_numbers():
    torch = pytest.importorskip("torch")

    def mine(images, prompts):
        return torch.ones(len(images), dtype=torch.bfloat16, requires_grad=True) / 2

    def each(images, prompts):
        return list(mine(images, prompts))

    for function in (mine, each):
        assert load_reward(function).score([picture(0)] * 2, ["a", "b"]).tolist() == [0.5, 0.5]
    with pytest.raises(InputError, match="Return one number per image"):
        load_reward(lambda images, prompts: [torch.ones(2)] * len(images)).score(
            [picture(0)] * 2, ["a", "b"]
        )


@pytest.mark.parametrize(
    ("device", "message"),
    [
        ("gpu", r"no device is called 'gpu'\. Did you mean cuda\? Leave device out"),
        ("cuda:99", r"there is no device 'cuda:99' here, only cpu"),
        ("cpu:0x", "no device is called 'cpu:0x'. Did you mean cpu"),
        ("meta", "no device is called 'meta'"),
    ],
)
def test_a_device_that_is_not_there_is_told_before_anything_is_loaded(device, message):
    pytest.importorskip("torch")
    for spec in ("hps", "hf:no/such", *(["polish"] if ":9" not in device else [])):
        with pytest.raises(InputError, match=message):
            load_reward(spec, device=device)


def test_the_habits_of_training_code_are_understood():
    told = {"kept": True}
    for answer in (([1.0, 2.0], told), [[1.0], [2.0]], (np.array([[1.0], [2.0]]), {})):
        model = load_reward(lambda images, prompts, answer=answer: answer)
        assert model.score([picture(0)] * 2, ["a", "b"]).tolist() == [1.0, 2.0]
    for answer in (([1.0, 2.0], "told"), [[1.0, 2.0]], ([1.0, 2.0], told, told)):
        with pytest.raises(InputError, match="Return one number per image"):
            load_reward(lambda images, prompts, answer=answer: answer).score(
                [picture(0)] * 2, ["a", "b"]
            )


CHECKPOINTED = """
def build():
    factor = float(open("checkpoint.txt").read())
    score = lambda images, prompts: [factor * len(p) for p in prompts]
    score.files = ["checkpoint.txt"]
    return score
"""


def forgotten():
    """The next import reads the file again, as another process would."""
    for name in ("my_rewards", "more_rewards"):
        sys.modules.pop(name, None)
    invalidate_caches()


def test_a_factory_with_another_checkpoint_does_not_go_on_with_the_run(
    module, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    module(CHECKPOINTED)
    run, one_row = tmp_path / "run", dataset(list(rows(1)))
    (tmp_path / "checkpoint.txt").write_text("1")
    first = score(one_row, "my_rewards:build", out=run, progress=False)
    again = score(one_row, "my_rewards:build", out=run, progress=False)
    assert again.cells("my_rewards:build").didp.tolist() == (
        first.cells("my_rewards:build").didp.tolist()
    )
    (tmp_path / "checkpoint.txt").write_text("2")
    with pytest.raises(StoreError):
        score(one_row, "my_rewards:build", out=run, progress=False)
    fresh = score(one_row, "my_rewards:build", out=tmp_path / "run2", progress=False)
    np.testing.assert_array_equal(
        fresh.cells("my_rewards:build").didp, 2 * first.cells("my_rewards:build").didp
    )


@pytest.mark.parametrize("kind", ["function", "model"])
def test_the_source_of_a_factory_is_part_of_its_identity(module, kind):
    sources = {
        "function": "def build():\n    return lambda images, prompts: [{}] * len(images)\n",
        "model": "from support.toy_rewards import ToyDual\nK = {}\nbuild = lambda: ToyDual()\n",
    }
    told = []
    for number in (1.0, 1.0, 2.5):
        module(sources[kind].format(number))
        forgotten()
        told.append(load_reward("my_rewards:build").describe())
    assert told[0] == told[1]
    assert told[0] != told[2]


def test_a_models_own_description_and_kind_stay(module):
    source = "from support.toy_rewards import ToyDual\nONE = ToyDual('one')\nbuild = lambda: ONE\n"
    module(source)
    model = load_reward("my_rewards:build")
    assert isinstance(model, ToyDual)
    assert model.describe().items() >= ToyDual("one").describe().items()
    renamed = load_reward("my_rewards:build", name="two").describe()
    assert renamed["name"] == "two"
    assert "module_sha256" not in sys.modules["my_rewards"].ONE.describe()


def test_files_may_be_a_folder_and_stand_at_the_factory(module, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "weights" / "deep").mkdir(parents=True)
    (tmp_path / "weights" / "deep" / "a.bin").write_bytes(b"x")
    source = "from support.toy_rewards import ToyDual\ndef build():\n    return ToyDual()\n"
    module(source + "build.files = 'weights'\n")
    # sha-256 of the letter x
    sha = "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"
    assert load_reward("my_rewards:build").describe()["files"] == {"weights/deep/a.bin": sha}
    module(source + "build.files = ['none.bin']\n")
    forgotten()
    with pytest.raises(InputError, match=r"files names 'none\.bin', which is not there"):
        load_reward("my_rewards:build")
    module(source + "build.files = 7\n")
    forgotten()
    with pytest.raises(InputError, match=r"files is 7\. Make it a list of paths"):
        load_reward("my_rewards:build")


def test_a_function_is_known_by_its_own_lines():
    def one(images, prompts):
        return [1.0] * len(images)

    first = load_reward(one, name="x").describe()

    def one(images, prompts):
        return [2.0] * len(images)

    assert load_reward(one, name="x").describe() != first
    assert load_reward(one, name="x").describe() == load_reward(one, name="x").describe()
    assert "source_sha256" not in load_reward(len, name="built in").describe()


def test_a_function_whose_file_says_something_else_has_no_lines(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("(it's a page (not Python\n")
    left = {}
    code = "def mine(images, prompts):\n    return [1.0] * len(images)\n"
    exec(compile(code, str(page), "exec"), left)
    assert "source_sha256" not in load_reward(left["mine"]).describe()


def test_the_default_device_is_one_that_torch_has():
    torch = pytest.importorskip("torch")
    assert catalog.default_device() == ("cuda" if torch.cuda.is_available() else "cpu")


@pytest.mark.parametrize("spec", ["polish", "clip-vit-l-14", ToyDual()])
def test_a_number_format_that_is_none_is_told_with_the_known_ones(spec):
    with pytest.raises(InputError, match=r"dtype 'int8' is not supported\. Use one of float32, bf"):
        catalog.load_reward(spec, dtype="int8")
