"""The reward models that need no weights, on pairs whose right answer is known."""

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sklearn.metrics import accuracy_score

from aas_bench.counterfactual.effect_meters import View
from aas_bench.counterfactual.effects import EFFECTS
from aas_bench.counterfactual.scenes import SCENES, photograph
from aas_bench.counterfactual.split import counterfactual_rows
from aas_bench.rewards import average_taste, effect_match, polish
from aas_bench.rewards.catalog import load_reward
from aas_bench.rewards.random import Chance
from aas_bench.tables.schema import CELLS

NAMES = ("polish", "effect-match", "average-taste", "random")
EACH = pytest.mark.parametrize("name", NAMES)
PLACES = {
    "oiop": ("image_original", "prompt_original"),
    "oidp": ("image_original", "prompt_distorted"),
    "diop": ("image_distorted", "prompt_original"),
    "didp": ("image_distorted", "prompt_distorted"),
}


@pytest.fixture(scope="module")
def scored():
    """The split's pairs in their first wording, with the four scores of each model."""
    rows = [row for row in counterfactual_rows() if row["wording"] == 0]
    table = pd.DataFrame([{k: row[k] for k in ("scene", "effect", "dose")} for row in rows])
    images = {id(row[c]): row[c] for row in rows for c in ("image_original", "image_distorted")}
    for name in NAMES:
        model = load_reward(name)
        pixels = [model.preprocess(image) for image in images.values()]
        features = dict(zip(images, model.encode_images(pixels), strict=True))
        for cell in CELLS:
            image, prompt = PLACES[cell]
            table[f"{name}_{cell}"] = model.combine(
                [features[id(row[image])] for row in rows],
                model.encode_prompts([row[prompt] for row in rows]),
            )
    return table


def chosen(table, name):
    return (table[f"{name}_didp"] > table[f"{name}_oidp"]).astype(int)


def accuracy(table, name):
    return accuracy_score(np.ones(len(table)), chosen(table, name))


def photo(name="coffee"):
    return Image.fromarray(photograph(SCENES[name]))


@EACH
def test_scores_are_finite_and_few_are_equal(scored, name):
    scores = scored[f"{name}_didp"]
    assert scores.dtype == np.float64
    assert np.isfinite(scores).all()
    assert scores.nunique() > 0.95 * len(scores)


def test_polish_loses(scored):
    assert accuracy(scored, "polish") < 0.35


def test_the_documented_accuracies_are_these(scored):
    text = (Path(__file__).parents[2] / "docs" / "counterfactual.md").read_text(encoding="utf-8")
    told = dict(re.findall(r"^\| `([\w-]+)` \|[^|]*\| ([\d.]+) \|", text, re.MULTILINE))
    assert {n: float(a) for n, a in told.items()} == {
        name: round(accuracy(scored, name), 2) for name in NAMES
    }


def test_polish_answers_no_prompt(scored):
    np.testing.assert_array_equal(scored["polish_oiop"], scored["polish_oidp"])
    np.testing.assert_array_equal(scored["polish_diop"], scored["polish_didp"])


def test_effect_match_wins_everywhere(scored):
    assert accuracy(scored, "effect-match") > 0.95
    assert scored.groupby("effect").apply(accuracy, "effect-match").min() > 0.8
    assert scored.groupby("dose").apply(accuracy, "effect-match").min() > 0.9


def test_effect_match_is_indifferent_where_nothing_is_asked(scored):
    assert set(scored["effect-match_oiop"]) | set(scored["effect-match_diop"]) == {0.5}


def test_effect_match_rises_with_the_dose(scored):
    by_dose = scored.pivot_table("effect-match_didp", ["effect", "scene"], "dose")
    assert (by_dose.diff(axis=1).iloc[:, 1:] > 0).all(axis=None)


def test_average_taste_understands_and_often_overrides(scored):
    margin = scored["average-taste_didp"] - scored["average-taste_oidp"]
    prior = scored["average-taste_diop"] - scored["average-taste_oiop"]
    understood = margin - prior > 0
    assert understood.mean() > 0.95
    assert 0.25 < (understood & (margin <= 0)).mean() < 0.6
    assert accuracy(scored, "polish") < accuracy(scored, "average-taste")
    assert accuracy(scored, "average-taste") < accuracy(scored, "effect-match")


def test_average_taste_is_the_sum_it_says(scored):
    match = scored["effect-match_didp"] / average_taste.MATCH_SD
    taste = scored["polish_didp"] / average_taste.POLISH_SD
    np.testing.assert_allclose(scored["average-taste_didp"], match + 2 * taste, rtol=1e-12)


@pytest.mark.parametrize(
    ("name", "sd"),
    [("effect-match", average_taste.MATCH_SD), ("polish", average_taste.POLISH_SD)],
)
def test_the_units_of_average_taste_are_those_of_the_split(scored, name, sd):
    both = np.concatenate([scored[f"{name}_didp"], scored[f"{name}_oidp"]])
    assert both.std() == pytest.approx(sd, rel=0.02)


def test_chance_is_at_chance(scored):
    # 392 fair coins leave 0.5 -+ 0.1 once in ten thousand draws; the draw is fixed.
    assert accuracy(scored, "random") == pytest.approx(0.5, abs=0.1)
    every = scored[[f"random_{cell}" for cell in CELLS]].to_numpy()
    assert every.min() >= 0
    assert every.max() < 1
    assert every.mean() == pytest.approx(0.5, abs=0.05)


def test_another_seed_is_another_draw():
    images, prompts = [photo()] * 3, ["a", "b", "c"]
    assert len({*Chance(seed=1).score(images, prompts)}) == 3
    assert not np.isin(
        Chance(seed=1).score(images, prompts), Chance(seed=2).score(images, prompts)
    ).any()


def test_chance_tells_pictures_of_another_shape_apart():
    wide, tall = Image.new("RGB", (20, 10)), Image.new("RGB", (10, 20))
    assert len(set(Chance().score([wide, tall], ["", ""]))) == 2


@EACH
def test_batch_mates_do_not_matter(name):
    images = [photo(scene) for scene in SCENES]
    prompts = [effect.prompt(SCENES["coffee"]) for effect in EFFECTS.values()][: len(images)]
    model = load_reward(name)
    together = model.score(images, prompts)
    alone = [model.score([i], [p])[0] for i, p in zip(images, prompts, strict=True)]
    np.testing.assert_array_equal(together, alone)


@EACH
def test_any_picture_is_scored(name):
    grey = photo().convert("L")
    images = [grey, grey.convert("1"), Image.new("RGB", (1, 1)), Image.new("RGBA", (3, 700))]
    prompts = [EFFECTS["clarity"].prompt(SCENES["coffee"])] * len(images)
    scores = load_reward(name).score([*images, photo().resize((1500, 1000))], [*prompts, ""])
    assert scores.shape == (5,)
    assert np.isfinite(scores).all()


@EACH
def test_a_description_is_complete_json(name):
    first, second = load_reward(name), load_reward(name)
    told = first.describe()
    assert json.loads(json.dumps(told, allow_nan=False)) == told
    assert told == second.describe()
    assert told["name"] == first.name == name
    assert told["version"] >= 1


@pytest.mark.parametrize("module", [polish, effect_match, average_taste])
def test_the_size_is_part_of_the_identity(module):
    assert module.load(size=256).describe() != module.load().describe()
    prompt = [EFFECTS["clarity"].prompt(SCENES["coffee"])]
    small = Image.fromarray(effect_match.measurable(photo(), size=128))
    assert small.size == (128, 85)
    np.testing.assert_array_equal(
        module.load(size=128).score([photo()], prompt), module.load().score([small], prompt)
    )


def test_pictures_are_never_enlarged():
    small = photo().resize((90, 60))
    np.testing.assert_array_equal(
        effect_match.measurable(small, size=384), np.asarray(small), strict=True
    )


def test_an_image_is_measured_once_for_all_models(monkeypatch):
    measured = []

    class Counted(View):
        def __init__(self, image):
            measured.append(image)
            super().__init__(image)

    monkeypatch.setattr(effect_match, "View", Counted)
    monkeypatch.setattr(polish, "View", Counted)
    pixels = np.random.default_rng(20261128).integers(0, 256, (50, 70, 3), dtype=np.uint8)
    models = [load_reward(name) for name in ("effect-match", "average-taste", "polish")]
    for model in models:
        model.preprocess(Image.fromarray(pixels))
    assert len(measured) == 2, "once for what is asked, once for polish"
    models[0].preprocess(Image.fromarray(255 - pixels))
    assert len(measured) == 3


def test_what_is_remembered_cannot_be_changed():
    features = load_reward("effect-match").preprocess(photo())
    with pytest.raises(ValueError, match="read-only"):
        features[0] = 0


def test_effect_match_takes_the_mean_of_what_is_asked():
    images = [photo()] * 3
    clarity, mood, both = effect_match.load().score(
        images, ["A blurry street.", "A sad street.", "A blurry, sad street."]
    )
    assert both == pytest.approx((clarity + mood) / 2)
    assert clarity != mood


def test_a_picture_far_beyond_the_scale_stays_within_it():
    black = Image.new("RGB", (64, 64))
    prompts = [effect.prompt(SCENES["coffee"]) for effect in EFFECTS.values()]
    scores = effect_match.load().score([black] * len(prompts), prompts)
    assert (scores >= 0).all()
    assert (scores <= 1).all()


def test_polish_measures_are_those_of_their_papers():
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (40, 60, 3), dtype=np.uint8)
    red, green, blue = np.moveaxis(image.astype(float), 2, 0)
    rg, yb = red - green, 0.5 * (red + green) - blue
    hasler = np.sqrt(rg.var() + yb.var()) + 0.3 * np.sqrt(rg.mean() ** 2 + yb.mean() ** 2)
    luma = 0.299 * red + 0.587 * green + 0.114 * blue
    padded = np.pad(luma, 1, mode="edge")
    laplacian = (
        padded[:-2, 1:-1] + padded[2:, 1:-1] + padded[1:-1, :-2] + padded[1:-1, 2:] - 4 * luma
    )
    contrast = luma.std() / 255
    expected = {
        "sharpness": laplacian.var() / (laplacian.var() + 400),
        "colourfulness": hasler / (hasler + 45),
        "contrast": contrast / (contrast + 0.2),
        "exposure": np.exp(-((luma / 255 - 0.5) ** 2) / 0.08).mean(),
    }
    assert polish.qualities(image) == pytest.approx(expected, rel=1e-4)
    score = polish.load().score([Image.fromarray(image)], [""])
    assert score[0] == pytest.approx(np.mean([*expected.values()]), rel=1e-4)


def test_grey_is_not_colourful():
    grey = np.repeat(np.arange(200, dtype=np.uint8).reshape(10, 20, 1), 3, axis=2)
    assert polish.qualities(grey)["colourfulness"] == pytest.approx(0, abs=1e-6)
