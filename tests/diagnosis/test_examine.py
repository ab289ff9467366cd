"""`doctor` finds what was put there, names its rows, and recomputes the headline without them."""

import io
import json
import logging
from math import inf

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from support import toy_pairs

from aas_bench import load_pairs, score
from aas_bench.board.model_page import _doctor
from aas_bench.cli import main
from aas_bench.diagnosis.examine import doctor
from aas_bench.errors import InputError
from aas_bench.measure.row_findings import told_again
from aas_bench.measure.summary import summarise
from aas_bench.pages.report import render
from aas_bench.tables.scores import ScoreTable

LARGE = (96, 80)


def png(image):
    file = io.BytesIO()
    image.save(file, "PNG")
    return {"bytes": file.getvalue(), "path": None}


@pytest.fixture(scope="module")
def sound():
    """Six pairs with nothing odd but that all labels are 1."""
    rows = list(toy_pairs.rows(n_prompts=6, generators=("one",)))
    for i, row in enumerate(rows):
        row["image_original"] = png(toy_pairs.picture(2 * i, size=LARGE))
        row["image_distorted"] = png(toy_pairs.picture(2 * i + 1, size=LARGE))
        row["label"] = i % 2
    return rows


def found(source, **options):
    return {each.probe: each for each in doctor(source, **options).findings}


def altered(rows, at, **cells):
    return toy_pairs.dataset([row | cells if i == at else row for i, row in enumerate(rows)])


def test_sound_pairs_are_healthy(sound):
    told = doctor(toy_pairs.dataset(sound))
    assert (told.findings, told.healthy, told.images) == ((), True, True)


def jpeg_black():
    file = io.BytesIO()
    Image.new("RGB", LARGE, (2, 3, 2)).save(file, "JPEG")
    return {"bytes": file.getvalue(), "path": None}


IMAGES = {
    "black": (lambda rows: png(Image.new("RGB", LARGE)), "black_image"),
    "black JPEG": (lambda rows: jpeg_black(), "black_image"),
    "black palette": (lambda rows: png(Image.new("P", LARGE)), "black_image"),
    "black 16 bit": (lambda rows: png(Image.new("I;16", LARGE)), "black_image"),
    "white": (lambda rows: png(Image.new("RGB", LARGE, "white")), "uniform_image"),
    "grey": (lambda rows: png(Image.new("L", LARGE, 128)), "uniform_image"),
    "one colour": (lambda rows: png(Image.new("RGB", LARGE, "teal")), "uniform_image"),
    "clear": (lambda rows: png(Image.new("RGBA", LARGE, (0, 0, 0, 0))), "uniform_image"),
    "equal": (lambda rows: rows[2]["image_original"], "equal_images"),
    "equal, saved again": (
        lambda rows: png(Image.open(io.BytesIO(rows[2]["image_original"]["bytes"]))),
        "equal_images",
    ),
    "of another pair": (lambda rows: rows[4]["image_distorted"], "repeated_image"),
    "small": (lambda rows: png(toy_pairs.picture(99, size=(40, 63))), "small_image"),
    "no image": (lambda rows: {"bytes": b"<html>", "path": None}, "unreadable_image"),
    "cut short": (
        lambda rows: {"bytes": rows[2]["image_original"]["bytes"][:900], "path": None},
        "unreadable_image",
    ),
}


@pytest.mark.parametrize("case", IMAGES)
def test_an_odd_image_is_named_with_its_pair(sound, case):
    make, probe = IMAGES[case]
    told = found(altered(sound, 2, image_distorted=make(sound)))
    assert set(told) == {probe}
    assert "one/0002" in told[probe].rows
    assert told[probe].n == (2 if probe == "repeated_image" else 1)


def test_an_image_under_one_caption_is_of_one_base_prompt_also_without_an_index(sound):
    """Where no index joins any pairs, equal captions count as one: as the analyses count."""
    told = found(
        altered(sound, 2, **{n: sound[1][n] for n in ("image_original", "prompt_original")})
    )
    assert "repeated_image" not in told
    told = found(altered(sound, 2, image_original=sound[1]["image_original"]))
    assert told["repeated_image"].rows == ("one/0001", "one/0002")


def test_a_picture_with_one_bright_dot_is_a_picture(sound):
    image = Image.new("RGB", LARGE)
    image.putpixel((3, 3), (0, 9, 0))
    assert found(altered(sound, 2, image_distorted=png(image))) == {}


def test_a_pair_that_stands_twice_is_found_once(sound):
    again = {n: sound[1][n] for n in ("image_original", "image_distorted", "prompt_distorted")}
    told = found(altered(sound, 4, **again))
    assert told["repeated_pair"].rows == ("one/0004",)


PROMPTS = {
    "blank": ("  ", "row"),
    "zero width": ("\u200b\u2060", "row"),
    "equal": ("a cat 0", "equal_prompts"),
    "equal but for blanks": (" a  cat\u200b 0", "equal_prompts"),
    "long": ("dim " * 76, "long_prompt"),
}


@pytest.mark.parametrize("case", PROMPTS)
def test_an_odd_prompt_is_named(sound, case):
    prompt, probe = PROMPTS[case]
    told = found(altered(sound, 0, prompt_distorted=prompt))
    assert probe in told
    assert told[probe].n == 1


def test_a_prompt_of_75_words_is_not_long(sound):
    assert found(altered(sound, 0, prompt_distorted="dim " * 75)) == {}


def frame(n=40, seed=0):
    """Scores that are sound; `r` chose right where its margin is above 0."""
    rng = np.random.default_rng(seed)
    cells = {f"r_{cell}": rng.normal(size=n) for cell in ("oiop", "oidp", "diop", "didp")}
    return pd.DataFrame(cells | {"label": np.arange(n) % 2})


def accuracy(table):
    chosen = (table["r_didp"] > table["r_oidp"]).astype(int)
    return float((chosen == table["label"]).mean())


def test_sound_scores_are_healthy():
    assert found(frame()) == {}


def test_ties_are_told_with_the_headline_without_them():
    table = frame()
    table.loc[:9, "r_didp"] = table.loc[:9, "r_oidp"]
    [effect] = found(table)["ties"].effects
    assert effect.before.value == pytest.approx(accuracy(table))
    assert effect.after.value == pytest.approx(accuracy(table[10:]))
    assert effect.after.low < effect.after.value < effect.after.high


def test_40_shared_prompts_are_not_80_independent_ones():
    table = frame(80)
    table["prompt_distorted"] = [f"an ugly thing {i // 2}" for i in range(80)]
    told = found(table)["index"]
    [effect] = told.effects
    assert "40 shared prompts, and no index says so" in told.text
    assert told.outcome == "note"  # no figure is another for it
    assert (effect.before.n_clusters, effect.after.n_clusters) == (40, 40)

    # An index that joins some pairs is believed; what it tears apart is told.
    table["index"] = [*range(78), 78, 78]
    table["pair_id"] = [f"p/{i}" for i in range(80)]
    told = found(table)["index"]
    [effect] = told.effects
    assert "39 shared prompts taken for 78 independent ones" in told.text
    assert (effect.before.n_clusters, effect.after.n_clusters) == (79, 40)
    assert effect.before.value == effect.after.value


def test_rounded_scores_give_their_step():
    table = frame()
    cells = [name for name in table if name.startswith("r_")]
    table[cells] = table[cells].round(0) / 2
    assert "steps of 0.5" in found(table)["rounding"].text


def test_half_precision_is_named():
    table = frame(400)
    cells = [name for name in table if name.startswith("r_")]
    table[cells] = (8 + 0.01 * table[cells]).astype(np.float16).astype(float)
    table.loc[0, "r_oiop"] = 2.0**-12
    assert "float16" in found(table)["rounding"].text


def test_an_infinite_score_is_a_finding_and_not_the_end(tmp_path):
    table = frame()
    table.loc[3, "r_didp"] = inf
    table.loc[5, "r_oidp"] = np.nan
    told = found(table)
    assert told["infinite"].rows == ("unknown/0003",)
    assert told["missing"].n == 2


def test_scores_that_stand_twice_and_rewards_that_are_one():
    table = frame()
    table.loc[7] = table.loc[6]
    table["label"] = np.arange(40) % 2
    for cell in ("oiop", "oidp", "diop", "didp"):
        table[f"copy_{cell}"] = table[f"r_{cell}"]
    told = found(table)
    assert told["repeated_scores"].rows == ("unknown/0007",)
    assert told["same_reward"].text == "copy holds exactly the scores of r"


def test_labels_ratings_and_a_blind_reward():
    table = frame()
    table["label"], table["human_score"] = 1, [50.0] * 39 + [140.0]
    table["r_oiop"], table["r_diop"] = table["r_oidp"], table["r_didp"]
    told = found(table)
    assert told["one_class"].outcome == "note"
    assert told["rating"].rows == ("unknown/0039",)
    assert told["prompt"].text == "no prompt moves a score of r"


def softmax(images, prompts):
    likes = np.exp(
        [np.asarray(i).mean() / 100 + len(p) / 50 for i, p in zip(images, prompts, strict=True)]
    )
    return likes / likes.sum()


def by_chance(images, prompts):
    return np.random.default_rng().normal(size=len(images))


@pytest.mark.parametrize(("reward", "probe"), [(softmax, "batch"), (by_chance, "repeat")])
def test_a_reward_that_depends_on_its_call_is_named(sound, reward, probe):
    told = doctor(toy_pairs.dataset(sound), reward=reward)
    assert [each.probe for each in told.model if each.outcome == "fail"] == [probe]
    assert not told.healthy


def test_a_reward_needs_images():
    with pytest.raises(InputError, match="Give the pairs"):
        doctor(frame(), reward=softmax)


def brightness(images, prompts):
    return [np.asarray(i).mean() + len(p) for i, p in zip(images, prompts, strict=True)]


def test_a_run_says_in_one_line_what_it_met_and_keeps_the_page(sound, tmp_path, caplog, capsys):
    pairs = altered(sound, 1, image_distorted=png(Image.new("RGB", LARGE)))
    pairs = toy_pairs.dataset(
        [r | {"image_distorted": r["image_original"]} if i == 3 else r for i, r in enumerate(pairs)]
    )
    with caplog.at_level(logging.WARNING):
        score(load_pairs(pairs), brightness, out=tmp_path / "run", progress=False)
    [line] = [r.getMessage() for r in caplog.records if "doctor" in r.getMessage()]
    assert "brightness ties 1 of 6 pairs" in line
    assert "1 pair of equal images (first one/0003)" in line
    assert "1 pair with an image of one colour (first one/0001)" in line
    about = json.loads((tmp_path / "run" / "run.json").read_text())
    assert about["odd"] == {"equal_images": ["one/0003"], "uniform_image": ["one/0001"]}

    command = ["doctor", str(tmp_path / "run"), "--json"]
    assert leaves(command) == 1
    told = json.loads(capsys.readouterr().out)
    assert told == json.loads((tmp_path / "run" / "doctor.json").read_text())
    assert "ties" in {each["probe"] for each in told["findings"]}


def leaves(arguments):
    import sys
    from unittest import mock

    with mock.patch.object(sys, "argv", ["aas-bench", *arguments]), pytest.raises(SystemExit) as e:
        main()
    return e.value.code or 0


def test_exit_codes(tmp_path, capsys):
    frame().to_csv(tmp_path / "sound.csv", index=False)
    assert leaves(["doctor", str(tmp_path / "sound.csv")]) == 0
    assert leaves(["doctor", str(tmp_path / "absent.csv")]) == 2
    assert "absent.csv" in capsys.readouterr().err


def test_report_and_model_page_tell_what_was_found():
    table = frame()
    table.loc[:9, "r_didp"] = table.loc[:9, "r_oidp"]
    summary = summarise(ScoreTable.from_frame(table))
    assert "r scores both images the same in 10 of 40 pairs" in render(summary)
    stored = json.loads(summary.to_json())["doctor"]
    assert told_again(stored[0]).startswith("r scores both images the same in 10 of 40 pairs")
    record = type("Record", (), {"provenance": {"doctor": [*stored, {"probe": 1}, "x"]}})
    assert len(_doctor(record)) == len(stored)
