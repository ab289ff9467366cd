"""A vision-language model with a head, told by a settings file; and settings that are wrong."""

from __future__ import annotations

import re
import shutil
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import yaml
from support import golden_weights as made

torch = pytest.importorskip("torch")

import transformers  # noqa: E402
from safetensors.torch import load_file, save_file  # noqa: E402
from support import tiny_tokenizers  # noqa: E402
from support.tiny_models import QWEN_CHAT, clip_folder, spread_out  # noqa: E402
from support.tiny_shapes import QWEN_TEXT, QWEN_VISION  # noqa: E402
from torch import nn  # noqa: E402

from aas_bench.errors import InputError  # noqa: E402
from aas_bench.rewards.catalog import load_reward  # noqa: E402

PROMPTS = ["a red fox", "An UGLY, blurry chair", "a <|im_end|>blue boat at night"]
PLAIN = ["a red fox", "An UGLY, blurry chair", "a blue boat at night"]
PIXELS = (56 * 56, 112 * 112)
TEMPLATE = "Rate {image} as a picture of {prompt}\nout of ten."


def qwen2(folder, *, tokens=()):
    """A tiny Qwen2-VL, its processor with it, as transformers saves them."""
    tokenizer = tiny_tokenizers.qwen()
    special = tokenizer.convert_tokens_to_ids
    torch.manual_seed(0)
    names = ("image_pad", "video_pad", "vision_start", "vision_end")
    ids = {f"{name.removesuffix('_pad')}_token_id": special(f"<|{name}|>") for name in names}
    model = transformers.Qwen2VLForConditionalGeneration(
        transformers.Qwen2VLConfig(
            text_config={**QWEN_TEXT, "vocab_size": len(tokenizer) + len(tokens)},
            vision_config=QWEN_VISION,
            **ids,
        )
    )
    spread_out(model)
    transformers.Qwen2VLProcessor(
        image_processor=transformers.Qwen2VLImageProcessor(
            size={"shortest_edge": PIXELS[0], "longest_edge": PIXELS[1]}
        ),
        tokenizer=tokenizer,
        video_processor=transformers.Qwen2VLVideoProcessor(),
        chat_template=QWEN_CHAT,
    ).save_pretrained(folder)
    model.eval().save_pretrained(folder)
    return model


def head_of(*sizes, activation=nn.ReLU):
    torch.manual_seed(2)
    layers = []
    for ends in pairwise(sizes):
        layers += [nn.Linear(*ends), activation()]
    network = nn.Sequential(*layers[:-1])
    spread_out(network)
    return network


def write(folder, **settings):
    file = folder / "my.yaml"
    file.write_text(yaml.safe_dump(settings))
    return f"vlm:{file}"


def table(model):
    return np.array([[model.score([i], [p])[0] for p in PROMPTS] for i in made.images()])


def hidden_of(model, folder, chat, image, *, at=-1, **inputs):
    """The library reads the whole chat at once."""
    processor = transformers.AutoProcessor.from_pretrained(folder)
    read = processor(text=[chat], images=[image], return_tensors="pt")
    if inputs.pop("plain", False):
        inputs["position_ids"] = torch.arange(read["input_ids"].shape[1])[None]
    with torch.inference_mode():
        return model.model(**read, **inputs).last_hidden_state[:, at]


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    folder = tmp_path_factory.mktemp("vlm")
    return folder, qwen2(folder)


def qwen3(folder):
    """A tiny Qwen3-VL, whose image features enter several layers."""
    tokenizer = tiny_tokenizers.qwen()
    special = tokenizer.convert_tokens_to_ids
    rope = {"rope_type": "default", "rope_theta": 1e6, "mrope_section": [2, 1, 1]}
    torch.manual_seed(0)
    model = transformers.Qwen3VLForConditionalGeneration(
        transformers.Qwen3VLConfig(
            text_config={
                **QWEN_TEXT,
                "vocab_size": len(tokenizer),
                "head_dim": 8,
                "rope_parameters": {**rope, "mrope_interleaved": True},
            },
            vision_config={
                "depth": 2,
                "hidden_size": 16,
                "intermediate_size": 32,
                "num_heads": 2,
                "out_hidden_size": 32,
                "num_position_embeddings": 64,
                "deepstack_visual_indexes": [0],
            },
            image_token_id=special("<|image_pad|>"),
            video_token_id=special("<|video_pad|>"),
            vision_start_token_id=special("<|vision_start|>"),
            vision_end_token_id=special("<|vision_end|>"),
        )
    )
    spread_out(model)
    transformers.Qwen3VLProcessor(
        image_processor=transformers.Qwen2VLImageProcessor(
            patch_size=16, size={"shortest_edge": 64 * 64, "longest_edge": 128 * 128}
        ),
        tokenizer=tokenizer,
        video_processor=transformers.Qwen3VLVideoProcessor(),
        chat_template=QWEN_CHAT,
    ).save_pretrained(folder)
    model.eval().save_pretrained(folder)
    return model


def test_another_family_scores_as_its_library_does(tmp_path):
    theirs = qwen3(tmp_path / "base")
    head = head_of(32, 1)
    save_file(head[0].state_dict(), tmp_path / "head.safetensors")
    settings = {"base": "base", "head": "head.safetensors", "template": TEMPLATE}
    model = load_reward(write(tmp_path, **settings), device="cpu")
    expected = expected_of((tmp_path / "base", theirs), head)
    np.testing.assert_allclose(table(model), expected, rtol=1e-5, atol=1e-5)


def test_a_base_that_reads_no_images_or_does_not_chat_is_told(tmp_path):
    settings = {"base": "base", "head": "head.safetensors", "template": TEMPLATE}
    clip_folder(tmp_path / "base", "safetensors")
    with pytest.raises(InputError, match=r"Name a vision-language model|no chat template"):
        load_reward(write(tmp_path, **settings), device="cpu")
    with pytest.raises(InputError, match="cannot be loaded as AutoModelForImage"):
        load_reward(f"vlm-yes:{tmp_path / 'base'}", device="cpu")


def expected_of(base, head, output=0):
    folder, model = base
    rows = []
    for image in made.images():
        row = []
        for prompt in PLAIN:
            chat = (
                "<|im_start|>user\nRate <|vision_start|><|image_pad|><|vision_end|> as a picture "
                f"of {prompt}\nout of ten.<|im_end|>\n<|im_start|>assistant\n"
            )
            with torch.inference_mode():
                row.append(head(hidden_of(model, folder, chat, image))[0, output].item())
        rows.append(row)
    return np.array(rows)


def test_a_head_in_a_file_scores_as_its_library_does(base, tmp_path):
    head = head_of(32, 1)
    save_file(head[0].state_dict(), tmp_path / "head.safetensors")
    model = load_reward(
        write(tmp_path, base=str(base[0]), head="head.safetensors", template=TEMPLATE),
        device="cpu",
    )
    expected = expected_of(base, head)
    assert expected.std() > 0.1
    np.testing.assert_allclose(table(model), expected, rtol=0, atol=1e-5)
    together = model.score([*made.images()[:3]], PROMPTS)
    np.testing.assert_allclose(together, np.diag(table(model)[:3]), rtol=0, atol=1e-4)
    assert model.describe()["weights"]["head"]["sha256"]


def test_a_head_beside_the_models_own_tensors(base, tmp_path):
    """One folder with everything, as a trainer saves a subclass with a value head."""
    folder = tmp_path / "run7"
    shutil.copytree(base[0], folder)
    head = head_of(32, 16, 3, activation=nn.Tanh)
    file = folder / "model.safetensors"
    ours = {f"v_head.summary.{name}": t for name, t in head.state_dict().items()}
    save_file(load_file(file) | ours, file, metadata={"format": "pt"})
    settings = {"base": "run7", "head_prefix": "v_head.", "activation": "tanh", "output": 2}
    model = load_reward(write(tmp_path, template=TEMPLATE, **settings), device="cpu")
    np.testing.assert_allclose(table(model), expected_of(base, head, 2), rtol=0, atol=1e-5)


def test_a_module_that_holds_the_model_and_a_head(base, tmp_path, capfd):
    """As a trainer saves a module of one's own: `self.vlm`, `self.score`."""
    head = head_of(32, 1)
    whole = torch.nn.Module()
    whole.vlm, whole.score = base[1], head[0]
    state = {name: tensor.contiguous().clone() for name, tensor in whole.state_dict().items()}
    save_file(state, tmp_path / "model.safetensors")
    settings = {"base": str(base[0]), "weights": "model.safetensors", "head_prefix": "score."}
    model = load_reward(write(tmp_path, template=TEMPLATE, **settings), device="cpu")
    np.testing.assert_allclose(table(model), expected_of(base, head), rtol=0, atol=1e-5)
    save_file(state | {"vlm.more": torch.zeros(2)}, tmp_path / "model.safetensors")
    capfd.readouterr()
    with pytest.raises(InputError, match=r"1 unexpected \(more\)"):
        load_reward(write(tmp_path, template=TEMPLATE, **settings), device="cpu")
    assert "UNEXPECTED" not in "".join(capfd.readouterr())


def test_an_adapter_and_a_head(base, tmp_path):
    peft = pytest.importorskip("peft")
    model = transformers.Qwen2VLForConditionalGeneration.from_pretrained(base[0])
    model = peft.get_peft_model(model, peft.LoraConfig(target_modules=["q_proj", "down_proj"]))
    torch.manual_seed(3)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_" in name:
                parameter.normal_(0, 0.1)
    model.save_pretrained(tmp_path / "lora")
    head = head_of(32, 1)
    torch.save(head.state_dict(), tmp_path / "value_head.pt")
    settings = {"base": str(base[0]), "adapter": "lora", "head": "value_head.pt"}
    ours = load_reward(write(tmp_path, template=TEMPLATE, **settings), device="cpu")
    expected = expected_of((base[0], model.merge_and_unload().eval()), head)
    np.testing.assert_allclose(table(ours), expected, rtol=0, atol=1e-5)
    assert np.abs(expected - expected_of(base, head)).max() > 0.01


def test_hpsv3s_layout_is_a_row_of_settings(tmp_path):
    """One flat file with a larger vocabulary, older names, a special token, plain positions."""
    from aas_bench.rewards import hpsv3, weights

    qwen2(tmp_path / "base")
    special = "<|Reward|>"
    vocabulary = len(tiny_tokenizers.qwen()) + 1
    text = {**QWEN_TEXT, "vocab_size": vocabulary}
    made.write_safetensors(tmp_path / "HPSv3.safetensors", made.hpsv3_names(text, QWEN_VISION))
    model = load_reward(
        write(
            tmp_path,
            base="base",
            weights="HPSv3.safetensors",
            head_prefix="rm_head.",
            activation="relu",
            template="{image}How good a picture of {prompt}? Rating: <|Reward|>\nEND",
            tokens=[special],
            read=special,
            positions="plain",
            pixels=list(PIXELS),
        ),
        device="cpu",
    )
    network = hpsv3.HpsV3Model({"text_config": text, "vision_config": QWEN_VISION})
    state = made_state(tmp_path / "HPSv3.safetensors")
    network.load_state_dict(state)
    processor = transformers.AutoProcessor.from_pretrained(tmp_path / "base")
    processor.tokenizer.add_special_tokens({"additional_special_tokens": [special]})
    head = "<|im_start|>user\n<|vision_start|><|image_pad|><|vision_end|>How good a picture of "
    for image in made.images()[:2]:
        for prompt in PLAIN:
            read = processor(
                text=[f"{head}{prompt}? Rating: {special}"], images=[image], return_tensors="pt"
            )
            ids = read["input_ids"]
            with torch.inference_mode():
                seen = network.visual(read["pixel_values"], grid_thw=read["image_grid_thw"])
                words = network.language_model.embed_tokens(ids)
                pad = processor.tokenizer.convert_tokens_to_ids("<|image_pad|>")
                words[ids == pad] = seen.pooler_output
                hidden = network.language_model(
                    inputs_embeds=words, position_ids=torch.arange(ids.shape[1])[None]
                ).last_hidden_state
                expected = network.rm_head(hidden[0, -1])[0].item()
            assert model.score([image], [prompt])[0] == pytest.approx(expected, abs=1e-5)
    assert weights.read(tmp_path / "HPSv3.safetensors")  # the file is as it was


def made_state(file):
    from aas_bench.rewards.weights import in_memory, read, renamed

    state = renamed(in_memory(read(file)), {r"model\.": "language_model."})
    del state["lm_head.weight"]
    return state


GOOD = {"base": "base", "head": "head.safetensors", "template": TEMPLATE}
WRONG = {
    "an unknown line": ({"templete": "x"}, r"my\.yaml: templete: .*Its lines may be base, weights"),
    "no place for the prompt": (
        {"template": "{image} good?"},
        r"template has \{prompt\} 0 times; write it once",
    ),
    "two images": ({"template": "{image}{image}{prompt}."}, r"\{image\} 2 times"),
    "the prompt first": ({"template": "{prompt}{image}."}, "put the image first"),
    "no template": ({"template": None}, "template: Input should be a valid string"),
    "another dtype": ({"dtype": "int8"}, "dtype: Input should be 'float32'"),
    "several faults": ({"dtype": "int8", "output": -1}, "dtype: .*; output: |output: .*; dtype: "),
    "no head": ({"head": None}, r"name the head's file under head:"),
    "no such base": ({"base": "nowhere"}, r"base 'nowhere' is no folder seen from"),
    "no such head": ({"head": "none.safetensors"}, r"none\.safetensors is no file\."),
    "no such prefix": ({"head_prefix": "reward."}, r"are no head of linear layers \(0: none\)"),
    "one output": ({"output": 1}, r"output: 1, but the head has 1\. Count from 0"),
    "another width": (
        {"head": "wide.safetensors"},
        r"\(48 to 1\) do not follow on a model of width",
    ),
    "layers that do not fit": (
        {"head": "broken.safetensors"},
        r"\(32 to 8, 4 to 1\) do not follow",
    ),
    "a norm in the head": ({"head": "norm.safetensors"}, "are no head of linear layers"),
    "an unknown token": ({"read": "<|Reward|>"}, r"is no token of the base\. Add it under tokens"),
    "a token elsewhere": ({"read": "<|image_pad|>"}, r"does not stand behind \{prompt\}"),
    "nothing to read": (
        {"chat": False, "template": "{image}{prompt}"},
        "nothing follows the prompt",
    ),
    "no adapter": ({"adapter": "base"}, r"holds no adapter_config\.json\. Check adapter:"),
}


@pytest.fixture(scope="module")
def shelf(base, tmp_path_factory):
    folder = tmp_path_factory.mktemp("shelf")
    (folder / "base").symlink_to(base[0])
    save_file({"weight": torch.zeros(1, 32)}, folder / "head.safetensors")
    save_file({"weight": torch.zeros(1, 48)}, folder / "wide.safetensors")
    broken = {"0.weight": torch.zeros(8, 32), "1.weight": torch.zeros(1, 4)}
    save_file(broken, folder / "broken.safetensors")
    save_file({"0.weight": torch.zeros(32)}, folder / "norm.safetensors")
    return folder


@pytest.mark.parametrize("fault", WRONG)
def test_wrong_settings_are_told_in_one_line(shelf, fault):
    change, message = WRONG[fault]
    settings = {key: value for key, value in {**GOOD, **change}.items() if value is not None}
    if change == {"template": None}:
        settings["template"] = 7
    with pytest.raises(InputError, match=message) as raised:
        load_reward(write(shelf, **settings), device="cpu")
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("base: [", "is no YAML"),
        ("- a list", "holds no settings"),
        ("", "holds no settings"),
        ("!!python/object/apply:os.getcwd []", "is no YAML"),
    ],
)
def test_a_file_of_something_else_is_told(tmp_path, text, message):
    (tmp_path / "my.yaml").write_text(text)
    with pytest.raises(InputError, match=message):
        load_reward(f"vlm:{tmp_path / 'my.yaml'}", device="cpu")


def test_a_missing_file_is_told(tmp_path):
    with pytest.raises(InputError, match=r"there is no file .*my\.yaml"):
        load_reward(f"vlm:{tmp_path / 'my.yaml'}", device="cpu")


def test_the_pages_example_and_table_are_the_settings():
    from aas_bench.rewards.vlm import Settings

    page = Path(__file__).parents[2] / "docs" / "reward-models.md"
    text = page.read_text(encoding="utf-8")
    example = text.partition("```yaml\n")[2].partition("```")[0]
    Settings.model_validate(yaml.safe_load(example))
    rows = re.findall(r"^\| `(\w+)` \|", text.partition("| line | says |")[2], re.MULTILINE)
    assert set(rows[: len(Settings.model_fields)]) == set(Settings.model_fields)
