"""`load_metric` gives what `evaluate` gives, without it."""

import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

import aas_bench
from aas_bench.errors import InputError, MissingScoresError, UnknownNameError
from aas_bench.metric.install import NAMES

WIDTHS = {"aas_preference": (1, 2, 4), "aas_override": (4,)}


def darkness(images, prompts):
    return [
        -float(np.asarray(image).mean()) - len(p) for image, p in zip(images, prompts, strict=True)
    ]


def table(name, width, n=40):
    rng = np.random.default_rng(width)
    scores = rng.normal(size=(n, width)).round(1)
    scores[3] = np.nan
    return {
        "predictions": scores[:, 0].tolist() if width == 1 else scores.tolist(),
        "references": rng.integers(-1, 2, n).tolist(),
    }


def options(n=40):
    groups = [["blur", "gloom"] if row % 3 else "blur" for row in range(n)]
    clusters = [row // 2 for row in range(n)]
    return {"groups": groups, "clusters": clusters, "on_missing": "drop", "ties": "half"}


@pytest.mark.parametrize(("name", "width"), [(n, w) for n in NAMES for w in WIDTHS[n]])
def test_the_numbers_are_those_of_evaluates_object(load, name, width):
    ours, theirs = aas_bench.load_metric(name), load(name)
    columns = table(name, width)
    expected = theirs.compute(**columns, **options())
    assert expected["n_missing"] == 1
    assert ours.compute(**columns, **options()) == expected
    for metric in (ours, theirs):
        for row in range(10):
            metric.add(prediction=columns["predictions"][row], reference=columns["references"][row])
        metric.add_batch(**{key: values[10:] for key, values in columns.items()})
    assert ours.compute(**options()) == theirs.compute(**options()) == expected
    assert ours.name == theirs.name == name
    assert ours.description == theirs.description
    assert ours.inputs_description == theirs.inputs_description


@pytest.mark.parametrize("name", NAMES)
def test_so_are_those_of_images(load, name):
    pictures = [Image.new("RGB", (8, 8), (30 * k, 90, 200 - 20 * k)) for k in range(6)]
    columns = {
        "images_original": pictures[:3],
        "images_distorted": pictures[3:],
        "prompts": ["dim", "a dull sky", "grey"],
        "references": [1, 0, 1],
    }
    if name == "aas_override":
        columns["prompts_original"] = ["lamp", "sky", "a wall in the sun"]
    asked = {"reward_model": darkness}
    ours = aas_bench.load_metric(name, "images").compute(**columns, **asked)
    assert ours == load(name, "images").compute(**columns, **asked)
    assert ours["n"] == 3


def test_bad_input_is_refused_as_by_evaluates_object(load):
    ours, theirs = aas_bench.load_metric(), load("aas_preference")
    wrong = (
        {},
        {"predictions": [1.0]},
        {"predictions": [1.0], "references": [7]},
        {"predictions": [[1.0, 2.0, 3.0]], "references": [1]},
        {"predictions": [1.0], "references": [1], "cluster": [1]},
        {"predictions": [1.0], "references": [1], "reward_model": "polish"},
        {"predictions": [np.nan, 1.0], "references": [1, 1]},
    )
    for given in wrong:
        with pytest.raises((InputError, MissingScoresError)) as expected:
            theirs.compute(**given)
        with pytest.raises(type(expected.value)) as found:
            ours.compute(**given)
        assert str(found.value) == str(expected.value)
    assert ours.compute(predictions=[1.0], references=[1])["n"] == 1, "nothing of these stays"


def test_a_wrong_name_is_told():
    with pytest.raises(UnknownNameError, match="aas_preference and aas_override"):
        aas_bench.load_metric("aas_preferense")
    with pytest.raises(UnknownNameError, match="default and images"):
        aas_bench.load_metric("aas_override", "image")


def test_evaluate_need_not_be_there():
    code = (
        "import sys; sys.modules['evaluate'] = None\n"
        "import aas_bench\n"
        "metric = aas_bench.load_metric('aas_override')\n"
        "print(metric.compute(predictions=[[8, 7, 3, 4], [6, 2, 3, 5]])['n'])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.stdout, done.returncode) == ("2\n", 0), done.stderr
