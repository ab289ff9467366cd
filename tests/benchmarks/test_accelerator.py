"""The benchmarks that need an accelerator: tried with tiny shapes, and exact in their sizes."""

import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("diffusers")
pytest.importorskip("open_clip")

FOLDER = Path(__file__).parents[2] / "benchmarks"
PROGRAMS = ("generators.py", "vision_tower.py")


def run(program, *options):
    command = [sys.executable, FOLDER / program, *options]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_generators_measure_what_they_say():
    done = run("generators.py", "--tiny", "--batches", "2", "--batch-size", "2")
    assert done.returncode == 0, done.stderr
    for name in ("sdxl", "flux.1-dev"):
        (part,) = re.findall(rf"^{name}: .*(?:\n  .*)+", done.stdout, re.MULTILINE)
        assert "batch 2, 2 batches" in part
        assert "pictures accepted    4 of 4" in part
        assert float(re.search(r"images/s +([\d.]+)", part)[1]) > 0
        assert 0 < float(re.search(r"in the denoiser +([\d.]+)%", part)[1]) < 100


@pytest.mark.slow
def test_the_vision_tower_is_held_against_a_product():
    done = run("vision_tower.py", "--tiny", "--rounds", "1")
    assert done.returncode == 0, done.stderr
    tower, product = (
        float(re.search(rf"{name} +([\d.e-]+) TFLOP/s", done.stdout)[1])
        for name in ("tower", "matrix product")
    )
    share = float(re.search(r"share +([\d.]+)%", done.stdout)[1])
    assert share / 100 == pytest.approx(tower / product, abs=0.002)


@pytest.mark.slow
@pytest.mark.skipif(torch.cuda.is_available(), reason="there is an accelerator")
@pytest.mark.parametrize("program", PROGRAMS)
def test_without_an_accelerator_they_say_so(program):
    done = run(program)
    assert done.returncode == 2
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith("not measured: no accelerator at hand.")


PARAMETERS = {
    # as counted in the published weights
    "sdxl": {
        "unet": 2_567_463_684,
        "text_encoder": 123_060_480,
        "text_encoder_2": 694_659_840,
        "vae": 83_653_863,
    },
    "flux.1-dev": {
        "transformer": 11_901_408_320,
        "text_encoder": 123_060_480,
        "text_encoder_2": 4_762_310_656,
        "vae": 83_819_683,
    },
}


@pytest.mark.parametrize("name", PARAMETERS)
def test_the_shapes_have_the_published_numbers_of_parameters(name, monkeypatch):
    monkeypatch.syspath_prepend(str(FOLDER))
    case = importlib.import_module("random_pipelines").CASES[name]
    with torch.device("meta"):
        pipe = case.build(case.sizes)
    counted = {
        part: sum(parameter.numel() for parameter in module.parameters())
        for part, module in pipe.components.items()
        if isinstance(module, torch.nn.Module)
    }
    assert counted == PARAMETERS[name]
    assert pipe.vae_scale_factor == 8
