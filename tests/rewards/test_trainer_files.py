"""Checkpoints as trainers leave them, written by the libraries themselves; and broken ones."""

from __future__ import annotations

import json
import runpy
import shutil

import numpy as np
import pytest
from support import golden_weights as made

torch = pytest.importorskip("torch")

import transformers  # noqa: E402
from safetensors.torch import load_file, save_file  # noqa: E402
from support import tiny_tokenizers  # noqa: E402
from support.tiny_models import clip_folder, siglip_folder, spread_out  # noqa: E402
from support.tiny_shapes import BLIP_TEXT, BLIP_VISION, CLIP, write_vocabulary  # noqa: E402

from aas_bench.errors import InputError  # noqa: E402
from aas_bench.rewards.catalog import load_reward  # noqa: E402
from aas_bench.rewards.clip import load_pickscore  # noqa: E402

PROMPTS = ["a red fox", "An UGLY, blurry chair", "a blue boat at night"]
PARTS = "2KB"


def table(model):
    return np.array([[model.score([i], [p])[0] for p in PROMPTS] for i in made.images()])


def their_logits(folder):
    """The library loads, cuts, preprocesses and scores on its own."""
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

    model = transformers.CLIPModel.from_pretrained(folder).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    text = tokenizer(PROMPTS, padding=True, return_tensors="pt")
    pixels = CLIPImageProcessorPil()(made.images(), return_tensors="pt")["pixel_values"]
    with torch.inference_mode():
        return model(**text, pixel_values=pixels).logits_per_image.numpy()


@pytest.fixture
def checkpoint(tmp_path):
    """A CLIP model and its processor, saved by transformers 5: no preprocessor_config.json."""
    folder = tmp_path / "run7" / "checkpoint-500"
    clip_folder(folder, "safetensors")
    (folder / "preprocessor_config.json").unlink()
    transformers.CLIPProcessor(
        image_processor=transformers.CLIPImageProcessor(), tokenizer=tiny_tokenizers.clip()
    ).save_pretrained(folder)
    assert not (folder / "preprocessor_config.json").exists()
    assert (folder / "processor_config.json").exists()
    return folder


def in_parts(folder):
    model = transformers.CLIPModel.from_pretrained(folder)
    (folder / "model.safetensors").unlink()
    model.save_pretrained(folder, max_shard_size=PARTS)
    assert len(list(folder.glob("model-*-of-*.safetensors"))) > 2
    return folder


def weights_file(folder):
    return folder / "model.safetensors"


def wrapped(save):
    def make(folder):
        model = transformers.CLIPModel.from_pretrained(folder)
        (folder / "model.safetensors").unlink()
        save(model, folder)
        return folder

    return make


def as_ddp(model, folder):
    holder = torch.nn.Module()
    holder.module = model  # as DistributedDataParallel holds it
    torch.save(holder.state_dict(), folder / "pytorch_model.bin")


def as_lightning(model, folder):
    holder = torch.nn.Module()
    holder.model = model  # as a LightningModule holds it
    told = {"epoch": 3, "global_step": 7, "state_dict": holder.state_dict(), "callbacks": {}}
    torch.save(told, folder / "epoch=3.ckpt")


def in_a_module_of_ones_own(model, folder):
    holder, outer = torch.nn.Module(), torch.nn.Module()
    holder.clip, outer.reward = model, holder
    torch.save({"state_dict": outer.state_dict()}, folder / "last.ckpt")


def as_compiled_ddp(model, folder):
    holder, outer = torch.nn.Module(), torch.nn.Module()
    holder._orig_mod = model  # as torch.compile holds it
    outer.module = holder
    state = {name: tensor.contiguous() for name, tensor in outer.state_dict().items()}
    save_file(state, folder / "model.safetensors")


LAYOUTS = {
    "processor_config": lambda folder: folder,
    "parts": in_parts,
    "weights file": weights_file,
    "ddp": wrapped(as_ddp),
    "lightning": wrapped(as_lightning),
    "own module": wrapped(in_a_module_of_ones_own),
    "compiled ddp": wrapped(as_compiled_ddp),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_what_a_trainer_saved_scores_as_its_library_does(checkpoint, layout):
    expected = their_logits(checkpoint)
    assert expected.std() > 0.1
    given = LAYOUTS[layout](checkpoint)
    for spec in (f"hf:{given}", given, str(given)):
        np.testing.assert_allclose(
            table(load_reward(spec, device="cpu")), expected, rtol=0, atol=1e-5
        )


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_row_reads_them_too(checkpoint, monkeypatch, layout):
    """Under a row's own tokenizer: scores are those of the plain file, whatever the layout."""
    monkeypatch.setitem(load_pickscore.__kwdefaults__, "architecture", CLIP)
    plain = checkpoint.parent / "plain"
    plain.mkdir()
    shutil.copy(checkpoint / "model.safetensors", plain)
    expected = table(load_reward(f"pickscore:{plain}", device="cpu"))
    spec = f"mine=pickscore:{LAYOUTS[layout](checkpoint)}"
    model = load_reward(spec, device="cpu")
    assert model.name == "mine"
    # float32 adds in another order where a file's tensors are aligned otherwise
    np.testing.assert_allclose(table(model), expected, rtol=0, atol=5e-5)


def test_blip_saved_with_its_processor(tmp_path):
    from transformers import BertTokenizer, BlipConfig, BlipForImageTextRetrieval, BlipProcessor

    model = BlipForImageTextRetrieval(BlipConfig(text_config=BLIP_TEXT, vision_config=BLIP_VISION))
    torch.manual_seed(0)
    spread_out(model)
    model.eval().save_pretrained(tmp_path)
    (tmp_path / "old").mkdir()
    write_vocabulary(tmp_path / "old" / "vocab.txt")
    tokenizer = BertTokenizer(vocab=str(tmp_path / "old" / "vocab.txt"))
    pixels = transformers.BlipImageProcessor(size={"height": 64, "width": 64})
    BlipProcessor(pixels, tokenizer).save_pretrained(tmp_path)
    assert not (tmp_path / "vocab.txt").exists()
    ours = load_reward(f"hf:{tmp_path}", device="cpu")
    for image in made.images()[:2]:
        for prompt in PROMPTS:
            text = tokenizer(prompt, return_tensors="pt")
            with torch.inference_mode():
                logits = model(
                    input_ids=text["input_ids"],
                    attention_mask=text["attention_mask"],
                    pixel_values=ours.preprocess(image)[None],
                ).itm_score
            expected = logits.softmax(-1)[0, 1].item()
            assert ours.score([image], [prompt])[0] == pytest.approx(expected, abs=1e-5)


def test_parts_of_a_distributed_run_are_put_together_as_told(checkpoint):
    """The advice is followed to the letter: the command is run, and the folder loads."""
    from torch.distributed import checkpoint as distributed

    expected = their_logits(checkpoint)
    model = transformers.CLIPModel.from_pretrained(checkpoint)
    (checkpoint / "model.safetensors").unlink()
    parts = checkpoint / "pytorch_model_fsdp_0"
    distributed.save({"model": model.state_dict()}, checkpoint_id=str(parts), no_dist=True)
    with pytest.raises(InputError, match="parts of a distributed run") as caught:
        load_reward(f"hf:{checkpoint}", device="cpu")
    module, *arguments = str(caught.value).partition("python -m ")[2].split()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", [module, *arguments])
        runpy.run_module(module, run_name="__main__")
    np.testing.assert_allclose(
        table(load_reward(f"hf:{checkpoint}", device="cpu")), expected, rtol=0, atol=1e-5
    )


def test_the_folder_of_a_run_names_its_checkpoints(checkpoint):
    with pytest.raises(InputError, match=r"run7/config\.json is missing.* its checkpoint-500\.$"):
        load_reward(f"hf:{checkpoint.parent}", device="cpu")


def test_another_part_is_another_identity(checkpoint):
    folder = in_parts(checkpoint)
    before = load_reward(folder, device="cpu").describe()
    [part, *_] = folder.glob("model-00001-of-*.safetensors")
    save_file({n: t + 0.01 for n, t in load_file(part).items()}, part)
    assert load_reward(folder, device="cpu").describe() != before


@pytest.mark.parametrize("family", [clip_folder, siglip_folder])
def test_a_folder_without_tokenizer_is_refused(tmp_path, family):
    family(tmp_path, "safetensors")
    for file in tmp_path.glob("tokenizer*"):
        file.unlink()
    with pytest.raises(InputError, match=r"tokenizer.* Copy the tokenizer's files \(tokenizer\."):
        load_reward(f"hf:{tmp_path}", device="cpu")


def test_a_text_tower_that_takes_all_prompts_for_one_is_refused(checkpoint):
    path = checkpoint / "model.safetensors"
    state = load_file(path)
    places = [f"text_model.embeddings.{what}_embedding.weight" for what in ("token", "position")]
    save_file(state | {place: torch.zeros_like(state[place]) for place in places}, path)
    with pytest.raises(InputError, match=r"are one to this model\. Copy its own tokenizer"):
        load_reward(checkpoint, device="cpu")


def edited(name, **changes):
    def edit(folder):
        told = json.loads((folder / name).read_text())
        for key, value in changes.items():
            told.get("image_processor", told)[key] = value
        (folder / name).write_text(json.dumps(told))

    return edit


def written(name, text):
    return lambda folder: (folder / name).write_text(text)


def lost_part(folder):
    next(in_parts(folder).glob("model-00001-of-*.safetensors")).unlink()


PIXELS = "processor_config.json"
BROKEN = {
    "a list": (written("config.json", "[1]"), r"config\.json holds a list"),
    "no JSON": (written("config.json", "{oops"), r"config\.json is no JSON .*again"),
    "no UTF-8": (
        lambda folder: (folder / "config.json").write_bytes(b"\xff\xfe\x00"),
        r"config\.json is no JSON",
    ),
    "no config": (lambda folder: (folder / "config.json").unlink(), r"config\.json"),
    "unknown activation": (
        edited("config.json", text_config={**CLIP["text_config"], "hidden_act": "wiggle"}),
        r"config\.json does not describe a model .*wiggle.*again",
    ),
    "sizes of no model": (
        edited("config.json", text_config={**CLIP["text_config"], "num_attention_heads": 5}),
        r"config\.json does not describe a model",
    ),
    "a word for a number": (
        edited("config.json", text_config={**CLIP["text_config"], "hidden_size": "wide"}),
        r"config\.json does not describe a model",
    ),
    "a word for the tower": (
        edited("config.json", vision_config="big"),
        r"config\.json does not describe a model",
    ),
    "another model's pixels": (
        edited(
            PIXELS,
            size={"shortest_edge": 336},
            crop_size={"height": 336, "width": 336},
        ),
        r"makes images of 336 pixels, but the model reads 224",
    ),
    "another scale": (edited(PIXELS, rescale_factor=1 / 127.5), "asks for a scale of pixel values"),
    "sides in a list": (edited(PIXELS, size={"shortest_edge": [224]}), "asks for a resize"),
    "no sides": (edited(PIXELS, size={}), "asks for a resize"),
    "layers without end": (
        edited("config.json", text_config={**CLIP["text_config"], "num_hidden_layers": 10**9}),
        r"says num_hidden_layers 1,000,000,000, more than any model has",
    ),
    "architectures in a word": (
        edited("config.json", architectures=7, model_type=["clip"]),
        "cannot score with: it knows clip",
    ),
    "a scale in words": (edited(PIXELS, rescale_factor="x"), "asks for a scale of pixel values"),
    "not normalised": (edited(PIXELS, do_normalize=False), "asks for a scale of pixel values"),
    "no mean": (edited(PIXELS, image_mean=None), "asks for a mean or deviation"),
    "no settings": (written(PIXELS, "{}"), r"preprocessor_config\.json is missing"),
    "a lost part": (lost_part, r"names parts that are not beside it: model-00001-of-"),
    "a tokenizer of noise": (written("tokenizer.json", "noise"), "holds no tokenizer"),
}


def test_a_row_of_one_family_does_not_take_another(checkpoint):
    with pytest.raises(InputError, match=r"is a 'clip' model, not siglip or siglip2\. Name it hf:"):
        load_reward(f"siglip2:{checkpoint}", device="cpu")


@pytest.mark.parametrize("fault", BROKEN)
def test_a_broken_folder_is_told_in_one_line(checkpoint, fault):
    spoil, message = BROKEN[fault]
    spoil(checkpoint)
    with pytest.raises(InputError, match=message) as raised:
        load_reward(f"hf:{checkpoint}", device="cpu")
    assert "\n" not in str(raised.value)


def test_the_whole_state_is_still_checked_by_name(checkpoint):
    path = checkpoint / "model.safetensors"
    state = load_file(path)
    save_file({f"module.{n}": t for n, t in list(state.items())[1:]}, path)
    with pytest.raises(InputError, match=r"does not fit the model: 1 missing"):
        load_reward(checkpoint, device="cpu")


@pytest.mark.parametrize("spec", ["vlm-yes:.", "vlm-yes:./empty"])
def test_what_a_library_raises_while_loading_is_one_line(tmp_path, monkeypatch, spec):
    clip_folder(tmp_path, "safetensors")
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path)
    told = r"^[^\n]*cannot be loaded as AutoModelForImageTextToText \(ValueError: [^\n]*$"
    with pytest.raises(InputError, match=told):
        load_reward(spec, device="cpu")


def test_a_checkpoint_of_something_else_is_no_vqascore(checkpoint):
    with pytest.raises(InputError, match=r"has no shared\.weight, so no T5 in it\. Give a check"):
        load_reward(f"vqascore:{checkpoint}", device="cpu")
