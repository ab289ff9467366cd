from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from aas_bench.counterfactual.effect_meters import View
from aas_bench.counterfactual.effects import EFFECTS
from aas_bench.counterfactual.reading import requested_effects
from aas_bench.counterfactual.scenes import SCENES
from aas_bench.generators.base import Request
from aas_bench.generators.builtin import choose_scene
from aas_bench.generators.load import load_generator
from aas_bench.generators.settings import Settings
from aas_bench.generators.spec import load_submission
from aas_bench.rewards.effect_match import EffectMatch

FOLDER = Path(__file__).parents[2] / "leaderboard" / "submissions"
SMALL = Settings(height=128, width=128)


def load(model):
    return load_generator(load_submission(FOLDER / f"builtin_{model}.yaml"))


def ask(generator, prompt, *, index=0, seed=0, settings=SMALL, variant="distorted", image=None):
    request = Request(
        index=index, variant=variant, prompt=prompt, seed=seed, settings=settings, image=image
    )
    (outcome,) = generator.generate([request])
    assert outcome.status == "ok"
    return outcome


def pixels(outcome):
    return np.asarray(outcome.image)


PAIRS = [
    (effect, scene)
    for effect in EFFECTS.values()
    for scene in SCENES.values()
    if scene.name not in effect.excluded
]


def met(effect, before, after):
    change = effect.measure.function(View(after)) - effect.measure.function(View(before))
    return change < 0 if effect.measure.met_by == "less" else change > 0


def test_what_is_read_in_a_prompt_is_painted_and_captions_ask_for_nothing():
    generator = load("faithful")
    for effect, scene in PAIRS[::5]:
        for wording in range(len(effect.requests)):
            prompt = effect.prompt(scene, wording=wording)
            told = ask(generator, prompt).provenance
            assert {*told["effects"], *told["impossible"]} == set(requested_effects(prompt))
        assert ask(generator, scene.caption).provenance["effects"] == []


def test_faithful_follows_what_it_reads():
    judge, generator = EffectMatch(), load("faithful")
    settings = generator.submission.settings_for("distorted")
    readable = [(e, s) for e, s in PAIRS if e.name in requested_effects(e.prompt(s))]
    assert len(readable) > 0.9 * len(PAIRS)
    originals = {
        scene.name: ask(generator, scene.caption, settings=settings).image
        for scene in SCENES.values()
    }
    followed = 0
    for effect, scene in readable:
        prompt = effect.prompt(scene)
        distorted = ask(generator, prompt, settings=settings).image
        before, after = judge.score([originals[scene.name], distorted], [prompt, prompt])
        followed += after > before
    # A photograph with every hue already gains none by a pasted object.
    assert followed >= len(readable) - 3


def test_polish_returns_the_same_picture_whatever_is_asked():
    generator = load("polish")
    for effect, scene in PAIRS[::3]:
        asked = pixels(ask(generator, effect.prompt(scene)))
        np.testing.assert_array_equal(asked, pixels(ask(generator, scene.caption)))


def test_polish_is_sharper_and_stronger_in_colour_than_the_photograph():
    polished, plain = (
        pixels(ask(load(model), SCENES["coffee"].caption)) for model in ("polish", "faithful")
    )
    for name in ("clarity", "color-brightness"):
        assert met(EFFECTS[name], polished, plain)


def test_pictures_are_the_same_every_time_whatever_is_asked_beside_them():
    generator = load("faithful")
    prompts = [effect.prompt(scene) for effect, scene in PAIRS[::13]]
    requests = [
        Request(index=i, variant="distorted", prompt=prompt, seed=1, settings=SMALL)
        for i, prompt in enumerate(prompts)
    ]
    together = [pixels(outcome).tobytes() for outcome in generator.generate(requests)]
    alone = [
        pixels(load("faithful").generate([request])[0]).tobytes() for request in reversed(requests)
    ]
    assert together == alone[::-1]


def test_an_unknown_caption_gives_both_variants_one_scene_that_index_and_seed_decide():
    def scene(prompt, index, seed, variant):
        request = Request(index=index, variant=variant, prompt=prompt, seed=seed, settings=SMALL)
        return choose_scene(request).name

    for index in range(30):
        assert scene("a horse", index, 0, "original") == scene("a mule", index, 0, "distorted")
    assert {scene("a horse", index, 0, "original") for index in range(100)} == set(SCENES)
    by_seed = {scene("a horse", 0, seed, "original") for seed in range(100)}
    assert by_seed == set(SCENES)


def test_what_a_scene_cannot_bear_is_told_and_left_out():
    generator = load("faithful")
    scene, effect = SCENES["hubble"], EFFECTS["emotion"]
    outcome = ask(generator, effect.prompt(scene))
    assert outcome.provenance["effects"] == []
    assert outcome.provenance["impossible"] == {"emotion": effect.excluded["hubble"]}
    np.testing.assert_array_equal(pixels(outcome), pixels(ask(generator, scene.caption)))


@pytest.mark.parametrize(("height", "width"), [(16, 16), (64, 160), (200, 72)])
def test_pictures_have_the_size_asked_for_and_show_the_main_object(height, width):
    settings = Settings(height=height, width=width)
    for scene in SCENES.values():
        outcome = ask(load("faithful"), scene.caption, settings=settings)
        assert outcome.image.size == (width, height)
        assert outcome.image.mode == "RGB"


def test_a_seed_image_stays_with_faithful_and_is_cleaned_up_by_polish():
    effect, scene = EFFECTS["clarity"], SCENES["hopper"]
    prompt = effect.prompt(scene)
    clean = pixels(ask(load("polish"), scene.caption))
    plain = pixels(ask(load("faithful"), scene.caption))
    seed = ask(load("faithful"), prompt).image

    def distance(a, b):
        return float(np.abs(np.asarray(a).astype(float) - b).mean())

    kept = pixels(ask(load("faithful"), prompt, image=seed))
    assert met(effect, plain, kept)
    assert distance(kept, clean) >= distance(seed, clean)
    for strength in (0.3, 0.9):
        settings = SMALL.model_copy(update={"strength": strength})
        cleaned = pixels(ask(load("polish"), prompt, image=seed, settings=settings))
        expected = (1 - strength) * distance(seed, clean)
        assert distance(cleaned, clean) == pytest.approx(expected, abs=1.0)


def test_provenance_is_plain_json():
    generator = load("polish")
    described = json.loads(json.dumps(generator.describe(), allow_nan=False))
    assert (described["id"], described["model"]) == ("builtin_polish", "polish")
    outcome = ask(generator, SCENES["china"].caption, seed=3)
    assert json.loads(json.dumps(outcome.provenance))["seed"] == 3


def test_no_torch_is_needed():
    code = (
        "import sys\n"
        "from aas_bench.generators.load import load_generator\n"
        "from aas_bench.generators.spec import load_submission\n"
        f"load_generator(load_submission({str(FOLDER / 'builtin_faithful.yaml')!r}))\n"
        "heavy = {'torch', 'diffusers', 'transformers', 'datasets'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
