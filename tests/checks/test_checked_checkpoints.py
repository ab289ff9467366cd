"""`check-reward` on checkpoints of CLIP that load and should not be believed."""

import json
import shutil

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from safetensors.torch import load_file, save_file  # noqa: E402
from support.tiny_models import clip_folder  # noqa: E402
from support.tiny_shapes import CLIP  # noqa: E402

from aas_bench.checks import check_reward as checking  # noqa: E402
from aas_bench.checks.check_reward import check_reward  # noqa: E402
from aas_bench.errors import InputError  # noqa: E402
from aas_bench.rewards.catalog import load_reward  # noqa: E402
from aas_bench.rewards.tokens import SENTENCE  # noqa: E402


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    return clip_folder(tmp_path_factory.mktemp("sound"), "safetensors")


@pytest.fixture
def folder(sound, tmp_path):
    return shutil.copytree(sound, tmp_path / "checkpoint")


def findings(spec, **options):
    return {f.probe: f for f in check_reward(spec, device="cpu", **options).findings}


def words_in_order():
    """The words of the built-in prompts as they come, with their repetitions."""
    return [w for _, some in checking._photographs() for p in some for w in words(p)]


def words(text):
    return [word.strip(".,;") for word in text.lower().split() if word.strip(".,;")]


def write_word_tokenizer(folder, known):
    """A tokenizer of whole words, whose unknown token is its own."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    tokens = ["<unk>", "<start>", "<end>", *dict.fromkeys([*words(SENTENCE), "a", *known])]
    backend = Tokenizer(models.WordLevel({t: i for i, t in enumerate(tokens)}, unk_token="<unk>"))
    backend.normalizer = normalizers.Sequence(
        [normalizers.Lowercase(), *(normalizers.Replace(mark, " ") for mark in ".,;")]
    )
    backend.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    backend.post_processor = processors.TemplateProcessing(
        single="<start> $A <end>", special_tokens=[("<start>", 1), ("<end>", 2)]
    )
    for file in (*folder.glob("tokenizer*"), *folder.glob("vocab*"), *folder.glob("merges*")):
        file.unlink()
    PreTrainedTokenizerFast(
        tokenizer_object=backend, unk_token="<unk>", eos_token="<end>", pad_token="<end>"
    ).save_pretrained(folder)
    config = json.loads((folder / "config.json").read_text())
    config["text_config"]["eos_token_id"] = 2
    (folder / "config.json").write_text(json.dumps(config))


def test_a_good_checkpoint_passes(sound):
    check = check_reward(f"hf:{sound}", device="cpu")
    assert check.passed, str(check)
    assert {f.probe: f.outcome for f in check.findings if f.outcome != "pass"} == {
        "cut": "note",
        "cost": "note",
    }


def test_without_its_tokenizer_it_is_refused(folder):
    for file in (*folder.glob("tokenizer*"), *folder.glob("vocab*"), *folder.glob("merges*")):
        file.unlink()
    with pytest.raises(InputError, match="tokenizer"):
        check_reward(f"hf:{folder}")


@pytest.mark.parametrize(("lost", "outcome"), [(0.3, "fail"), (0.0, "pass")])
def test_unknown_tokens_are_counted(folder, lost, outcome):
    """The rarest words are struck until 30 % of what is spoken is gone."""
    spoken = words_in_order()
    kinds = sorted(
        dict.fromkeys(spoken) - dict.fromkeys([*words(SENTENCE), "a"]).keys(), key=spoken.count
    )
    struck, n_struck = set(), 0
    for kind in kinds:
        if n_struck < lost * len(spoken):
            struck.add(kind)
            n_struck += spoken.count(kind)
    write_word_tokenizer(folder, [w for w in spoken if w not in struck])
    found = findings(f"hf:{folder}")["tokens"]
    assert found.outcome == outcome
    # each prompt also has its two ends; shares are taken by prompt
    per_prompt = [
        sum(w in struck for w in words(p)) / (len(words(p)) + 2)
        for _, some in checking._photographs()
        for p in some
    ]
    assert found.value == pytest.approx(np.mean(per_prompt))
    assert found.value == pytest.approx(lost, abs=0.06)


def test_a_head_of_nan_is_named(folder):
    state = load_file(folder / "model.safetensors")
    state["visual_projection.weight"][:] = float("nan")
    save_file(state, folder / "model.safetensors", metadata={"format": "pt"})
    assert findings(f"hf:{folder}")["finite"].outcome == "fail"


def test_the_drift_of_half_precision_is_that_of_the_scores(sound, caplog):
    found = findings(f"hf:{sound}", dtype="bfloat16")["dtype"]
    cells = [(i, p) for i, some in checking._photographs() for p in some]
    images, prompts = zip(*cells, strict=True)
    half, whole = (
        load_reward(f"hf:{sound}", device="cpu", dtype=d).score(images, prompts)
        for d in ("bfloat16", "float32")
    )
    assert found.value == pytest.approx(np.abs(half - whole).max() / np.ptp(whole))
    assert 0 < found.value < 1
    assert "bfloat16 on a CPU is slower than float32" in caplog.text
    assert "dtype" not in findings(f"hf:{sound}")


def test_cut_prompts_are_told(sound):
    limit = CLIP["text_config"].get("max_position_embeddings", 77)
    found = findings(f"hf:{sound}")["cut"]
    model = load_reward(f"hf:{sound}", device="cpu")
    prompts = [p for _, some in checking._photographs() for p in some]
    cut = [len(model._tokens.encode(p)) > limit for p in prompts]
    assert found.value == pytest.approx(np.mean(cut))
