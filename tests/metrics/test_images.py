"""The configuration "images": the metric scores the images itself."""

import inspect
import io

import numpy as np
import pytest
from PIL import Image
from support.toy_rewards import ToyDual

import aas_bench
from aas_bench.errors import InputError, MissingScoresError, UnknownNameError
from aas_bench.metric import metric_columns
from aas_bench.rewards.contrastive import ContrastiveReward
from aas_bench.tables.images import open_image

N = 7


def photographs(seed, n=N):
    rng = np.random.default_rng(seed)
    return [Image.fromarray(rng.integers(0, 256, (24, 32, 3), dtype=np.uint8)) for _ in range(n)]


def toy(images, prompts):
    """Depends on every pixel and on the prompt."""
    pixels = [np.asarray(image, dtype=np.float64) for image in images]
    weights = [len(prompt) - 5.5 for prompt in prompts]
    return [float(p.std() + w * p[..., 0].mean()) for p, w in zip(pixels, weights, strict=True)]


@pytest.fixture
def columns_of_images():
    return {
        "images_original": photographs(1),
        "images_distorted": photographs(2),
        "prompts": ["blur" * (k % 3) + "x" for k in range(N)],
        "references": [1, 0, 1, -1, 1, 0, 1],
    }


def four_scores(given, prompts_original):
    by_name = {"o": given["images_original"], "d": given["images_distorted"]}
    by_prompt = {"o": prompts_original, "d": given["prompts"]}
    return np.column_stack([toy(by_name[i], by_prompt[p]) for i, p in ("oo", "od", "do", "dd")])


def test_a_function_gives_the_numbers_of_its_scores(load, columns_of_images):
    original = [f"street {k}" for k in range(N)]
    scores = four_scores(columns_of_images, original)
    label = columns_of_images["references"]
    images = load("aas_preference", "images").compute(**columns_of_images, reward_model=toy)
    assert images == load("aas_preference").compute(predictions=scores, references=label)
    images = load("aas_override", "images").compute(
        **columns_of_images, prompts_original=original, reward_model=toy
    )
    assert images == load("aas_override").compute(predictions=scores, references=label)


@pytest.mark.parametrize("name", ["polish", "effect-match", "random"])
def test_a_built_in_reward_goes_by_its_name(load, columns_of_images, name):
    result = load("aas_preference", "images").compute(**columns_of_images, reward_model=name)
    model = aas_bench.load_reward(name)
    prompts = columns_of_images["prompts"]
    scores = [
        model.score(columns_of_images[column], prompts)
        for column in ("images_original", "images_distorted")
    ]
    direct = load("aas_preference").compute(
        predictions=np.column_stack(scores), references=columns_of_images["references"]
    )
    assert result == direct


@pytest.mark.usefixtures("unchecked")
def test_each_image_is_encoded_once_whatever_the_batch(load, columns_of_images):
    metric = load("aas_override", "images")
    results = []
    for batch_size in (1, 3, 32):
        model = ToyDual()
        results.append(
            metric.compute(
                **columns_of_images,
                prompts_original=["plain"] * N,
                reward_model=model,
                batch_size=batch_size,
            )
        )
        assert model.n["images"] == 2 * N
        assert model.largest["images"] <= batch_size
    assert results[0] == results[1] == results[2]


def test_rows_and_batches_add_up(load, columns_of_images, monkeypatch):
    metric = load("aas_preference", "images")
    whole = metric.compute(**columns_of_images, reward_model=toy)
    monkeypatch.setattr("aas_bench.metric.checked.ROWS", 2)
    monkeypatch.setattr("aas_bench.metric.image_scores.ROWS", 3)
    head = {name: column[:1] for name, column in columns_of_images.items()}
    metric.add(
        images_original=head["images_original"][0],
        images_distorted=head["images_distorted"][0],
        prompts=head["prompts"][0],
        reference=head["references"][0],
    )
    metric.add_batch(**{name: column[1:] for name, column in columns_of_images.items()})
    assert metric.compute(reward_model=toy) == whole


def as_bytes(image, form):
    buffer = io.BytesIO()
    image.save(buffer, form)
    return buffer.getvalue()


@pytest.mark.usefixtures("unchecked")
def test_images_come_in_any_form_and_pixels_stay_as_they_are(load, tmp_path):
    photo = photographs(5, 1)[0]
    path = tmp_path / "photo.png"
    photo.save(path)
    jpeg = as_bytes(photo, "JPEG")
    forms = [photo, np.asarray(photo), str(path), path, path.read_bytes(), {"path": str(path)}]
    forms += [{"bytes": path.read_bytes(), "path": None}, Image.open(path), jpeg]
    forms += [Image.open(io.BytesIO(jpeg))]
    expected = [photo] * 8 + [Image.open(io.BytesIO(jpeg))] * 2
    metric = load("aas_preference", "images")
    for form, pixels in zip(forms, expected, strict=True):
        seen = []

        def watch(images, prompts, seen=seen):
            seen.extend(images)
            return [0.0] * len(images)

        metric.compute(
            images_original=[form],
            images_distorted=[Image.new("RGB", (3, 3))],
            prompts=["x"],
            references=[1],
            reward_model=watch,
        )
        assert sorted(map(Image.Image.tobytes, seen)) == sorted([pixels.tobytes(), bytes(27)])


def test_pairs_whose_image_cannot_be_read_may_be_left_out(load, columns_of_images):
    columns_of_images["images_distorted"][2] = b"damaged"
    metric = load("aas_preference", "images")
    with pytest.raises(MissingScoresError, match=r'1 of 7 pairs.*row 2.*on_missing="drop"'):
        metric.compute(**columns_of_images, reward_model=toy)
    result = metric.compute(**columns_of_images, reward_model=toy, on_missing="drop")
    assert (result["n_missing"], result["coverage"]) == (1, pytest.approx(6 / 7))


def test_an_opened_and_changed_image_is_scored_as_changed(tmp_path):
    photographs(6, 1)[0].save(tmp_path / "large.png")
    image = Image.open(tmp_path / "large.png")
    image.thumbnail((8, 8))
    cell = metric_columns.image_cell("images_original", 0, image)
    assert open_image(cell).tobytes() == image.tobytes()


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "CMYK", "I;16", "LA", "1"])
def test_every_mode_is_stored_as_the_engine_sees_it(mode):
    image = photographs(7, 1)[0].convert("L" if mode == "I;16" else mode).convert(mode)
    cell = metric_columns.image_cell("images_original", 0, image)
    assert open_image(cell).tobytes() == open_image(image).tobytes()


def test_a_photograph_stored_on_its_side_is_turned():
    tag = Image.Exif()
    tag[0x0112] = 6
    buffer = io.BytesIO()
    Image.new("RGB", (20, 10)).save(buffer, "JPEG", exif=tag)
    for value in (buffer.getvalue(), Image.open(io.BytesIO(buffer.getvalue()))):
        assert open_image(metric_columns.image_cell("images_original", 0, value)).size == (10, 20)


def test_the_knob_is_set_off_against_the_plain_prompt(load, columns_of_images):
    original = [f"street {k}" for k in range(N)]
    oiop, oidp, diop, didp = four_scores(columns_of_images, original).T
    expected = load("aas_override").compute(
        predictions=np.stack([oiop - oiop, oidp - oiop, diop - diop, didp - diop], axis=1)
    )
    knob = ContrastiveReward(aas_bench.load_reward(toy), 1.0)
    del columns_of_images["references"]
    result = load("aas_override", "images").compute(
        **columns_of_images, prompts_original=original, reward_model=knob
    )
    assert result["chosen"] == expected["chosen"]
    assert result["prompt_response"] == pytest.approx(expected["prompt_response"])


FAULTS = [
    ({"reward_model": None}, "no reward_model given. Give a name, a RewardModel or a callable"),
    ({"reward_model": "polsh"}, "no reward model is called 'polsh'. Did you mean polish"),
    ({"reward_model": 3}, "Give a name, a RewardModel or a callable"),
    ({"batch_size": 0}, "batch_size=0 is too small. Give at least 1"),
    ({"prompts": None}, "no prompts given.*takes images_original, images_distorted, prompts, ref"),
    ({"references": None}, "no references given"),
    ({"prompts": ["x"]}, "images_original has 7 rows but prompts has 1"),
    ({"prompts": [b"x"] * N}, "prompts, row 0: b'x' is not text. Give one for every pair"),
    ({"images_original": ["gone.png"] * N}, "row 0: .*there is no file 'gone.png'"),
    (
        {"images_original": [b"no image"] * N},
        "row 0: .*no image of a known format",
    ),
    ({"images_distorted": [None] * N}, "images_distorted, row 0: NoneType instead of an image"),
    ({"images_original": [np.ones((2, 2))] * N}, "row 0: ndarray instead of an image"),
    ({"predictions": [1.0] * N}, "predictions belongs to the default configuration"),
    ({"images": [1.0] * N}, "'images'. Did you mean .*images_original"),
]


@pytest.mark.parametrize(("change", "message"), FAULTS, ids=[str(f[0])[:40] for f in FAULTS])
def test_a_fault_is_one_clear_line(load, columns_of_images, change, message):
    metric = load("aas_preference", "images", keep_in_memory=True)
    with pytest.raises(InputError, match=message) as caught:
        metric.compute(**{**columns_of_images, "reward_model": toy, **change})
    assert "\n" not in str(caught.value)
    assert metric.compute(**columns_of_images, reward_model=toy)["n"] == N - 1


def test_a_damaged_image_late_in_the_table_leaves_no_rows(load, columns_of_images, monkeypatch):
    monkeypatch.setattr("aas_bench.metric.checked.ROWS", 2)
    metric = load("aas_preference", "images")
    damaged = Image.open(io.BytesIO(as_bytes(photographs(3, 1)[0], "PNG")[:200]))
    bad = [*columns_of_images["images_original"][:-1], damaged]
    with pytest.raises(InputError, match="images_original, row 6, cannot be read as an image"):
        metric.compute(**{**columns_of_images, "images_original": bad}, reward_model=toy)
    assert metric.compute(**columns_of_images, reward_model=toy)["n"] == N - 1


def test_a_failing_reward_model_leaves_no_images_in_the_cache(load, columns_of_images, tmp_path):
    metric = load("aas_preference", "images")
    with pytest.raises(InputError, match="Return one number per image"):
        metric.compute(**columns_of_images, reward_model=lambda images, prompts: [1.0])
    assert not list(tmp_path.rglob("*.arrow"))


def test_the_override_needs_the_plain_prompts_too(load, columns_of_images):
    with pytest.raises(InputError, match="no prompts_original given"):
        load("aas_override", "images").compute(**columns_of_images, reward_model=toy)


def test_an_unknown_name_is_the_registrys_error(load, columns_of_images):
    with pytest.raises(UnknownNameError, match="aas-bench list rewards"):
        load("aas_preference", "images").compute(**columns_of_images, reward_model="nonsense")


def test_the_options_are_keyword_arguments_by_name(load):
    parameters = inspect.signature(load("aas_override", "images")._compute).parameters.values()
    assert {p.kind for p in parameters} == {inspect.Parameter.KEYWORD_ONLY}
