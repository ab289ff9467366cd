import json
import random
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import coco_captions

from aas_bench.errors import InputError, SchemaError
from aas_bench.sources.coco import Caption, read_captions, sample_captions


def test_captions_are_read_on_one_line(tmp_path):
    captions = read_captions(coco_captions.write(tmp_path / "c.json"))
    assert len(captions) == 24
    assert captions[0] == Caption(
        text="A dog sleeps on a striped sofa.", image_id=1000, caption_id=0
    )
    assert captions[1].text == "A dog sleeps on a striped sofa. In picture 0, take 1."


def test_empty_captions_are_left_out(tmp_path):
    file = tmp_path / "c.json"
    rows = [{"id": 1, "image_id": 1, "caption": " \n"}, {"id": 2, "image_id": 1, "caption": "x"}]
    file.write_text(json.dumps({"annotations": rows}))
    assert [c.caption_id for c in read_captions(file)] == [2]


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ('{"annotations": [', InputError, "is not JSON"),
        ("[]", SchemaError, "has no list 'annotations'. Give COCO's captions"),
        ('{"annotations": {}}', SchemaError, "has no list 'annotations'. Give COCO's captions"),
        (
            '{"annotations": [7, {"id": 1, "image_id": 2}, {"caption": "x", "id": "1"}]}',
            SchemaError,
            "annotation 0 is not an object; annotation 1 has no text 'caption'; annotation 2 has",
        ),
    ],
)
def test_what_is_no_annotation_file_is_refused(text, error, message, tmp_path):
    file = tmp_path / "c.json"
    file.write_text(text)
    with pytest.raises(error, match=re.escape(message)):
        read_captions(file)


def test_a_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"cannot be read .* Give the JSON file"):
        read_captions(tmp_path / "c.json")


@settings(max_examples=30)
@given(st.integers(0, 50), st.integers(1, 12), st.randoms())
def test_a_sample_depends_on_the_seed_alone(seed, n, shuffle):
    captions = [
        Caption(text=f"picture {i} take {k}", image_id=i, caption_id=10 * i + k)
        for i in range(12)
        for k in range(3)
    ]
    sample = sample_captions(captions, n, seed=seed)
    shuffle.shuffle(captions)
    assert sample_captions(captions, n, seed=seed) == sample
    assert sample_captions(captions, 12, seed=seed)[:n] == sample
    assert len({c.image_id for c in sample}) == n
    assert set(sample) <= set(captions)


def test_seeds_choose_differently_and_fairly():
    captions = [Caption(text=f"picture {i}", image_id=i, caption_id=i) for i in range(40)]
    firsts = [sample_captions(captions, 1, seed=seed)[0].image_id for seed in range(400)]
    assert len(set(firsts)) > 35  # of 40 that are equally likely


def test_equal_words_count_once_and_long_captions_not_at_all():
    captions = [
        Caption(text="A cat, asleep.", image_id=1, caption_id=1),
        Caption(text="a  cat asleep", image_id=2, caption_id=2),
        Caption(text="word " * 31, image_id=3, caption_id=3),
        Caption(text="!?", image_id=4, caption_id=4),
        Caption(text="a dog", image_id=5, caption_id=5),
    ]
    random.Random(0).shuffle(captions)
    sample = sample_captions(captions, 2)
    assert {c.text.lower().split()[1].strip(",") for c in sample} == {"cat", "dog"}
    with pytest.raises(InputError, match="captions of 2 images and 3 are wanted"):
        sample_captions(captions, 3)
