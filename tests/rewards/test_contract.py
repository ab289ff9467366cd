"""What every reward model with weights promises, shown on a tiny one of its architecture."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
import pytest
from PIL import Image
from support import golden_weights as made

torch = pytest.importorskip("torch")

from support import tiny_models  # noqa: E402
from support.tiny_models import GENERIC, TINY, generic  # noqa: E402

from aas_bench.rewards.catalog import REWARDS  # noqa: E402

LAYOUTS = ("safetensors", "official")
# only safetensors is read there
ONE_LAYOUT = {"vlm-yes", "unified-reward-2"}
CASES = [
    (name, layout)
    for name in [*TINY, *GENERIC]
    for layout in LAYOUTS
    if layout == "safetensors" or name not in ONE_LAYOUT
]
PROMPTS = [
    "a red fox",
    "an ugly, blurry snapshot of a chair",
    "grey",
    "a market in muddy browns",
    "two cats & one moon",
    "noise",
    "a child with a mirror",
]
# of the spread of the scores; float32 sums in another order for another batch
BATCH_TOLERANCE = 1e-4


def make(name, folder, layout):
    return TINY[name](folder, layout) if name in TINY else generic(name, folder, layout)


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """Threads only wait for each other on tensors this small."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    made_so_far = {}

    def get(name, layout="safetensors"):
        if (name, layout) not in made_so_far:
            folder = tmp_path_factory.mktemp("tiny")
            made_so_far[name, layout] = make(name, folder, layout)
        return made_so_far[name, layout]

    return get


@pytest.fixture(scope="module")
def pictures():
    noise = np.random.default_rng(0).integers(0, 256, (3, 90, 120, 3), dtype=np.uint8)
    return [*made.images(), *map(Image.fromarray, noise)]


def test_every_row_with_weights_has_a_tiny_model():
    assert set(TINY) == {name for name, row in REWARDS.items() if row.weights is not None}


@pytest.mark.parametrize("name", [*TINY, *GENERIC])
def test_batch_of_seven_equals_one_at_a_time(name, models, pictures):
    model = models(name)
    together = model.score(pictures, PROMPTS)
    assert together.shape == (7,)
    assert together.dtype == np.float64
    assert np.isfinite(together).all()
    assert together.std() > 0
    alone = np.array([model.score([i], [p])[0] for i, p in zip(pictures, PROMPTS, strict=True)])
    np.testing.assert_allclose(together, alone, atol=BATCH_TOLERANCE * together.std(), rtol=0)


@pytest.mark.parametrize("name", [*TINY, *GENERIC])
def test_long_batch_mate_changes_nothing(name, models, pictures):
    model = models(name)
    short = model.score(pictures[:1], PROMPTS[:1])[0]
    long = "a very long and winding request, " * 30
    mixed = model.score(pictures[:3], [PROMPTS[0], long, PROMPTS[1]])
    assert mixed[0] == pytest.approx(short, abs=BATCH_TOLERANCE * max(mixed.std(), 1e-3))


@pytest.mark.parametrize("name", [*TINY, *GENERIC])
def test_four_scores_of_a_pair_equal_one_call_each(name, models, pictures):
    model = models(name)
    cells = [(i, p) for i in pictures[:2] for p in PROMPTS[:2]]
    images = model.encode_images([model.preprocess(i) for i in pictures[:2]])
    prompts = model.encode_prompts(PROMPTS[:2])
    rows = [(i, p) for i in range(2) for p in range(2)]
    shared = model.combine([images[i] for i, _ in rows], [prompts[p] for _, p in rows])
    single = np.array([model.score([image], [prompt])[0] for image, prompt in cells])
    np.testing.assert_allclose(shared, single, atol=BATCH_TOLERANCE * single.std(), rtol=0)


@pytest.mark.parametrize("name", [*TINY, *GENERIC])
def test_scores_follow_their_rows(name, models, pictures):
    model = models(name)
    forwards = model.score(pictures, PROMPTS)
    backwards = model.score(pictures[::-1], PROMPTS[::-1])
    np.testing.assert_allclose(
        backwards[::-1], forwards, atol=BATCH_TOLERANCE * forwards.std(), rtol=0
    )


@pytest.mark.parametrize("name", [*TINY, *GENERIC])
def test_the_prompt_has_a_say_unless_the_row_says_otherwise(name, models, pictures):
    scores = models(name).score(pictures[:1] * 7, PROMPTS)
    blind = name in REWARDS and REWARDS[name].family == "image-only"
    assert (np.ptp(scores) == 0) == blind


@pytest.mark.parametrize("name", [*TINY, *GENERIC])
def test_any_image_mode_scores_like_its_rgb_copy(name, models, pictures):
    as_is = [pictures[1].convert(mode) for mode in ("L", "P", "RGBA", "LA", "CMYK", "1")]
    copies = [image.convert("RGB") for image in as_is]
    scores = models(name).score([*as_is, *copies], PROMPTS[:1] * 12)
    assert scores[:6] == pytest.approx(scores[6:], abs=1e-6, rel=1e-5)


@pytest.mark.parametrize("name", [*TINY, *GENERIC])
def test_any_image_size_is_scored(name, models, pictures):
    sizes = [(1, 1), (3, 500), (2000, 9), (224, 100), (224, 224)]
    scores = models(name).score([pictures[2].resize(size) for size in sizes], PROMPTS[:1] * 5)
    assert np.isfinite(scores).all()


@pytest.mark.parametrize("name", [*TINY, *GENERIC])
def test_cut_prompts_are_counted(name, models):
    model = models(name)
    prompts = ["", "a fox", "word " * 700]
    limited = name in GENERIC or REWARDS[name].prompt_limit is not None
    assert model.truncated(prompts).tolist() == [False, False, limited]
    lengths = model.prompt_lengths(prompts)
    assert lengths.shape == (3,)
    # MPS pads to its limit; VQAScore's counts the image and the words before it, too
    if name in TINY and limited and name not in {"mps", "vqascore", "visionreward"}:
        assert lengths[2] == REWARDS[name].prompt_limit


@pytest.mark.parametrize("name", [n for n in TINY if REWARDS[n].prompt_limit])
def test_what_lies_beyond_the_limit_has_no_say(name, models, pictures):
    model = models(name)
    shared = "word " * 700
    one, other = model.score(pictures[:1] * 2, [shared + "fox", shared + "cat"])
    assert one == pytest.approx(other, abs=1e-6, rel=1e-5)


@pytest.mark.parametrize("name", [*TINY, *GENERIC])
def test_an_empty_prompt_is_scored(name, models, pictures):
    assert np.isfinite(models(name).score(pictures[:2], ["", " "])).all()


@pytest.mark.parametrize("name", [*TINY, *GENERIC])
def test_description_is_json_and_names_the_weights(name, models):
    model = models(name)
    told = json.loads(json.dumps(model.describe(), allow_nan=False))
    assert told["name"] == model.name == name
    assert "sha256" in json.dumps(told["weights"])
    assert told["dtype"] == "float32"


@pytest.mark.parametrize("name", [*TINY, *GENERIC])
def test_preprocessing_in_threads_equals_one_after_another(name, models, pictures):
    model = models(name)
    with ThreadPoolExecutor(4) as pool:
        at_once = list(pool.map(model.preprocess, pictures * 3))
    scores = model.combine(model.encode_images(at_once), model.encode_prompts(PROMPTS * 3))
    expected = model.score(pictures * 3, PROMPTS * 3)
    np.testing.assert_allclose(scores, expected, atol=BATCH_TOLERANCE * expected.std(), rtol=0)


@pytest.mark.parametrize(("name", "layout"), [c for c in CASES if c[1] == "official"])
def test_the_official_layout_scores_like_safetensors(name, layout, models, pictures):
    expected = models(name).score(pictures, PROMPTS)
    # HPSv2's files hold half precision
    tolerance = 2e-2 if name.startswith("hpsv2") else BATCH_TOLERANCE
    scores = models(name, layout).score(pictures, PROMPTS)
    np.testing.assert_allclose(scores, expected, atol=tolerance * expected.std(), rtol=0)


# a digit of a random model is another where the two likeliest are close
@pytest.mark.parametrize("name", [name for name in TINY if name != "unified-reward-2"])
def test_half_precision_keeps_the_order_of_scores(name, models, pictures, monkeypatch, tmp_path):
    monkeypatch.setattr(tiny_models, "load_row", partial(tiny_models.load_row, dtype="bfloat16"))
    model = TINY[name](tmp_path, "safetensors")
    assert model.describe()["dtype"] == "bfloat16"
    scores = model.score(pictures, PROMPTS)
    expected = models(name).score(pictures, PROMPTS)
    assert np.corrcoef(scores, expected)[0, 1] > 0.97
