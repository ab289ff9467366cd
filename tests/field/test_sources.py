"""Ratings, settings, prompt lists and images as they are handed in."""

import base64
import io
import json

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image, features
from support import coco_captions, scripts, toy_pairs

from aas_bench.errors import InputError, SpecError, raise_faults
from aas_bench.generators.submission_yaml import read_mapping
from aas_bench.metric.metric_columns import image_cell
from aas_bench.sources.coco import read_captions
from aas_bench.sources.lapis import read_paintings
from aas_bench.sources.prompt_lists import prompt_list
from aas_bench.tables.images import image_file, open_image
from aas_bench.tables.pairs import load_pairs

PARTI = "Prompt\tCategory\tChallenge\tNote\na cat\tAnimals\tBasic\t\n42\tAbstract\tBasic\t\n"
LISTS = {
    "text": ("t.txt", "a cat\n\n42\n"),
    "text with mark": ("t.txt", "\ufeffa cat\r\n42\r\n"),
    "PartiPrompts": ("t.tsv", PARTI),
    "CSV": ("t.csv", "caption\na cat\n42\n"),
    "JSON texts": ("t.json", '["a cat", "42"]'),
    "JSON objects": ("t.json", '[{"prompt": "a cat"}, {"prompt": 42}]'),
    "JSON lines": ("t.jsonl", '{"text": "a cat"}\n{"text": "42"}\n'),
}


@pytest.mark.parametrize(("name", "content"), LISTS.values(), ids=list(LISTS))
def test_a_prompt_list_is_read_and_rewritten(tmp_path, name, content):
    (tmp_path / name).write_text(content, encoding="utf-8", newline="")
    assert [each.text for each in prompt_list(tmp_path / name)] == ["a cat", "42"]
    assert scripts.script("wide_spectrum").kind_of(str(tmp_path / name)) == "captions"


def test_a_blank_prompt_of_a_list_is_named_and_other_tables_are_no_lists(tmp_path):
    (tmp_path / "t.json").write_text('["a cat", "\\u200b"]')
    with pytest.raises(InputError, match=r"prompt 1 .* is blank"):
        prompt_list(tmp_path / "t.json")
    (tmp_path / "pairs.csv").write_text("prompt,image_original\nx,a.png\n")
    (tmp_path / "both.csv").write_text("prompt_original,prompt_distorted\nx,y\n")
    assert prompt_list(tmp_path / "pairs.csv") is None
    assert prompt_list(tmp_path / "both.csv") is None


def test_captions_with_a_byte_order_mark(tmp_path):
    file = coco_captions.write(tmp_path / "captions.json")
    expected = read_captions(file)
    file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes())
    assert read_captions(file) == expected


@pytest.mark.parametrize("rating", [140, 410, -1, 100.5])
def test_a_rating_off_the_scale_is_refused_by_its_row(tmp_path, rating):
    (tmp_path / "c.csv").write_text("image_filename,caption\na.jpg,a hill\n")
    (tmp_path / "r.csv").write_text(
        f"image_filename,response\na.jpg,40\na.jpg,{rating}\na.jpg,60\n"
    )
    found = read_paintings(tmp_path / "c.csv", annotations=tmp_path / "r.csv")
    (fault,) = found.faults
    assert fault.where == "r.csv row 1"
    assert f"its rating {float(rating)} is outside 0 to 100" in fault.reason
    assert found.paintings[0].human_score == 50


@pytest.mark.parametrize("written", ["1:30", "030", "-1:30", "1:30.5"])
def test_a_number_that_yaml_would_turn_into_another_is_refused(tmp_path, written):
    (tmp_path / "s.yaml").write_text(f"both: {{num_inference_steps: {written}}}\n")
    with pytest.raises(SpecError, match=r"line 1: .*is not a plain number; write it without"):
        read_mapping(tmp_path / "s.yaml")


def test_plain_numbers_of_yaml_stay(tmp_path):
    (tmp_path / "s.yaml").write_text("a: 30\nb: 0\nc: 0.5\nd: -3\ne: 1_000\nf: '1:30'\ng: 1.0e+3\n")
    assert list(read_mapping(tmp_path / "s.yaml").values()) == [30, 0, 0.5, -3, 1000, "1:30", 1e3]


@pytest.mark.parametrize(("kind", "feature"), [("AVIF", "avif"), ("JPEG2000", "jpg_2000")])
def test_what_pillow_reads_is_read(kind, feature):
    if not features.check(feature):
        pytest.skip(f"this Pillow has no {kind}")
    image = Image.new("RGB", (16, 16), (200, 30, 40))
    file = io.BytesIO()
    image.save(file, kind)
    found = np.asarray(open_image(file.getvalue()), dtype=int)
    assert np.abs(found - np.asarray(image, dtype=int)).max() <= 4


def test_an_image_in_text_is_an_image_at_every_door(tmp_path):
    image = toy_pairs.picture(3)
    text = base64.b64encode(toy_pairs.png(image)).decode()
    for written in (
        text,
        f"data:image/png;base64,{text}",
        f"data:image/png;charset=x;base64,{text}",
    ):
        assert open_image(written).tobytes() == image.tobytes()
        assert open_image(image_cell("images_original", 0, written)).tobytes() == image.tobytes()
        assert open_image(image_file(written, tmp_path)).tobytes() == image.tobytes()
    for broken in ("A" * 12_522, f"data:image/png;base64,{text[:-3]}*"):
        with pytest.raises(InputError, match=r"neither a file name|there is no file") as caught:
            open_image(broken)
        assert len(str(caught.value)) < 400


@pytest.mark.parametrize("first", [True, False])
def test_pixels_with_channels_first_or_last(first):
    pixels = np.asarray(toy_pairs.picture(2))
    given = pixels.transpose(2, 0, 1) if first else pixels
    for value in (given, torch.from_numpy(given.copy())):
        found = open_image(image_cell("images_original", 0, value))
        assert np.array_equal(np.asarray(found), pixels)
    grey = pixels[..., 0]
    for value in (grey, grey[None], grey[..., None]):
        found = np.asarray(open_image(image_cell("images_original", 0, value)))
        assert np.array_equal(found[..., 1], grey)


@pytest.mark.parametrize("length", [256, 12_522])
def test_a_long_name_of_a_file_is_told_short(tmp_path, length):
    row = {"image_original": "x" * length, "image_distorted": "a\0b", "prompt_distorted": "p"}
    (tmp_path / "t.jsonl").write_text(json.dumps(row) + "\n")
    with pytest.raises(InputError, match=r"original: 'x{40}'... cannot be a file name") as caught:
        load_pairs(tmp_path / "t.jsonl")
    assert len(str(caught.value)) < 500 + len(str(tmp_path))
    assert "\0" not in str(caught.value)


def test_faults_are_short_and_printable():
    with pytest.raises(InputError) as caught:
        raise_faults("t", ["x\0\x1b[31m" + "y" * 10_000], "Mend.")
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 350


def test_each_reward_is_headed_by_its_own_number_of_pairs(tmp_path, capsys):
    from aas_bench.cli.text import summary_table
    from aas_bench.measure.summary import summarise
    from aas_bench.tables.scores import ScoreTable

    whole, half = np.arange(20.0), np.where(np.arange(20) < 10, 1.0, np.nan)
    frame = pd.DataFrame({"a_oidp": whole, "a_didp": whole + 1, "b_oidp": half, "b_didp": half + 1})
    summary_table(summarise(ScoreTable.from_frame(frame), on_missing="drop", n_resamples=10))
    lines = capsys.readouterr().out.splitlines()
    header = next(line for line in lines if line.startswith("reward"))
    assert header.split()[1] == "pairs"
    rows = [
        line.split()[:2] for line in lines[lines.index(header) + 1 :] if line[:2] in ("a ", "b ")
    ]
    assert ["a", "20"] in rows
    assert ["b", "10"] in rows
