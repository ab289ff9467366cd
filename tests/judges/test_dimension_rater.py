"""A tiny Qwen3-VL rates images: the same numbers as asking each question anew, from one reading."""

import numpy as np
import pytest
import torch
from support.tiny_vision_language import write_qwen3_vl
from support.toy_pairs import picture

from aas_bench.errors import InputError
from aas_bench.judges.catalog import load_rater
from aas_bench.judges.dimension_rater import DimensionRater
from aas_bench.judges.rated import MARKS, PREAMBLE, QUESTIONS
from aas_bench.tasks.taxonomy import DIMENSIONS


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_qwen3_vl(tmp_path_factory.mktemp("qwen3-vl"))


@pytest.fixture(scope="module")
def rater(folder):
    return load_rater(f"tiny=vlm:{folder}")


@pytest.fixture(scope="module")
def images():
    shapes = [(32, 32), (48, 32), (32, 32), (32, 48), (48, 32), (32, 32)]
    return [picture(seed, size=size) for seed, size in enumerate(shapes)]


def asked_anew(rater, image, question):
    """Whole prompt, whole vocabulary, no cache."""
    model, processor = rater._model, rater._processor
    content = [{"type": "image"}, {"type": "text", "text": PREAMBLE + question}]
    text = processor.apply_chat_template(
        [{"role": "user", "content": content}], tokenize=False, add_generation_prompt=True
    )
    inputs = processor(text=[text], images=[image], return_tensors="pt")
    with torch.no_grad():
        likely = model(**inputs, use_cache=False).logits[0, -1].double().softmax(-1)
    ids = [processor.tokenizer.convert_tokens_to_ids(str(mark)) for mark in MARKS]
    return likely[ids].numpy()


def test_ratings_are_those_of_asking_each_question_anew(rater, images):
    found = rater.rate(images[:2])
    assert found.dimensions == tuple(DIMENSIONS)
    for row, image in enumerate(images[:2]):
        for column, question in enumerate(QUESTIONS.values()):
            three = asked_anew(rater, image, question)
            assert found.mass[row, column] == pytest.approx(three.sum(), rel=1e-4)
            expected = three @ np.array(MARKS) / three.sum()
            assert found.expectation[row, column] == pytest.approx(expected, abs=1e-5)
    assert found.expectation.std(axis=1).min() > 0.01
    assert abs(found.expectation[0] - found.expectation[1]).max() > 0.01


def test_batches_of_one_and_four_are_equal(folder, images):
    made = (load_rater(f"vlm:{folder}", batch_size=size) for size in (1, 4))
    one, four = (each.rate(images) for each in made)
    np.testing.assert_allclose(one.expectation, four.expectation, atol=1e-5)
    np.testing.assert_allclose(one.mass, four.mass, rtol=1e-4)


def test_an_image_is_encoded_once_for_all_dimensions(rater, images, monkeypatch):
    seen = []
    tower = rater._model.model.visual
    forward = tower.forward
    monkeypatch.setattr(
        tower, "forward", lambda *a, **k: seen.append(k["grid_thw"]) or forward(*a, **k)
    )
    monkeypatch.setattr(rater, "batch_size", 1)
    rater.rate(images)
    assert [len(grid) for grid in seen] == [1] * len(images)


def test_it_says_what_it_is(rater, folder):
    found = rater.identity()
    assert (rater.name, found["weights"]["folder"]) == ("tiny", folder.name)
    assert len(found["weights"]["sample"]) == 64


def test_what_cannot_be_asked_is_told(rater, tmp_path, monkeypatch):
    made = {"name": "x", "model": rater._model, "processor": rater._processor, "identity": {}}
    with pytest.raises(InputError, match="Give vlm:REPO or vlm:FOLDER"):
        load_rater(f"vlm:{tmp_path}")
    with monkeypatch.context() as patch:
        patch.setattr(rater._processor.tokenizer, "encode", lambda *_, **__: [1, 2])
        with pytest.raises(InputError, match="no single token for each of 0, 1 and 2"):
            DimensionRater(**made)
    monkeypatch.setattr(rater._processor, "apply_chat_template", lambda *_, **__: "hello")
    with pytest.raises(InputError, match="leaves the question out"):
        DimensionRater(**made)
