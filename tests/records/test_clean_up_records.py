"""Image-to-image runs as records: made, recomputed on acceptance, sent, shown."""

from __future__ import annotations

import hashlib
import json

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from support.generator_runs import submission

from aas_bench.board.tabs.generator_shift import generators
from aas_bench.board.tabs.self_test import self_test
from aas_bench.errors import InputError
from aas_bench.pages.generator import measure_generator
from aas_bench.records.accept import accepted, check_file, check_folder
from aas_bench.records.make_records import add_run, remeasure
from aas_bench.records.parcel import pack, receive
from aas_bench.run.generate import generate
from aas_bench.run.prompts import load_prompts
from aas_bench.run.seeds import seed_pair

PROMPTS = load_prompts(limit=12)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A finished image-to-image run of the generator that does what it is told."""
    out = tmp_path_factory.mktemp("runs") / "editor"
    made = generate(submission("editor"), PROMPTS, out=out, seed_images=True, progress=False)
    measure_generator(made, progress=False)
    return out


@pytest.fixture
def record(run, tmp_path):
    """The file of its record, in a folder that a test may damage."""
    (made,) = add_run(run, tmp_path)
    return tmp_path / f"{made.id}.json"


def by_hand(run):
    """Way back and nearness of each output, from the images themselves."""
    ways, nearer = [], []
    for prompt in PROMPTS.prompts:
        pair = seed_pair(prompt, submission("editor").settings_for("distorted"))
        image = Image.open(run / "images" / f"{prompt.index:04d}_distorted.png")
        out, seed, photo = (
            np.asarray(i, dtype=float).ravel() for i in (image, pair.distorted, pair.original)
        )
        step = photo - seed
        ways.append((out - seed) @ step / (step @ step))
        nearer.append(abs(out - photo).mean() < abs(out - seed).mean())
    return np.array(ways), np.array(nearer)


def test_the_record_says_what_the_images_say_and_is_accepted(run, record):
    assert record.name == "clean-up.json"  # beside the text-to-image result, not in its place
    told = {
        (each["measure"], each.get("group")): each
        for each in json.loads(record.read_text())["measurements"]
    }
    ways, nearer = by_hand(run)
    assert told["way_back", None]["value"] == pytest.approx(ways.mean())
    assert told["nearer_original", None]["value"] == pytest.approx(nearer.mean())
    asked = [prompt.dimensions[0] for prompt in PROMPTS.prompts]
    for group in set(asked):
        chosen = np.array(asked) == group
        assert told["way_back", group]["value"] == pytest.approx(ways[chosen].mean())
        assert told["way_back", group]["n"] == chosen.sum()
    scenes = len({prompt.cluster for prompt in PROMPTS.prompts})
    assert (told["way_back", None]["n"], told["way_back", None]["n_clusters"]) == (12, scenes)
    verdict = check_file(record)
    assert verdict.refused == ()
    assert "12 of the task's" in verdict.flags[0]
    result = json.loads((run / "result.json").read_text())["clean_up"]["means"]
    assert result["way_back"]["value"] == told["way_back", None]["value"]


def test_it_is_sent_received_and_measured_again(run, record, tmp_path):
    (sent,) = receive(pack(run, tmp_path / "p.zip"), tmp_path / "there")
    (again,) = remeasure(tmp_path / "there")
    assert sent.measurements == again.measurements
    assert check_folder(tmp_path / "there")[0].refused == ()
    with pytest.raises(InputError, match="exists already"):
        add_run(run, record.parents[2])


def test_a_figure_that_does_not_follow_is_refused(record):
    facts = json.loads(record.read_text())
    row = next(each for each in facts["measurements"] if each["measure"] == "way_back")
    row["value"] = row["low"] = 0.0
    record.write_text(json.dumps(facts))
    assert any("way_back: value is 0.0, recomputed" in each for each in check_file(record).refused)


def altered(record, change):
    """The record with another table, its checksum corrected as a forger would."""
    file = record.with_suffix(".parquet")
    table = pd.read_parquet(file)
    table = change(table)
    table.to_parquet(file, index=False)
    facts = json.loads(record.read_text())
    facts["scores"]["sha256"] = hashlib.sha256(file.read_bytes()).hexdigest()
    record.write_text(json.dumps(facts))
    return " ".join(check_file(record).refused)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda t: t.assign(way_back=0.0), "recomputed 0.0"),
        (lambda t: t.assign(to_seed=300.0), "to_seed holds a value outside 0 to 255"),
        (lambda t: t.assign(way_back=np.inf), "way_back holds a value outside -inf to inf"),
        (lambda t: t.assign(scene="<script>"), "no scene or effect is called"),
        (lambda t: t.assign(note="x"), "the columns are"),
        (lambda t: t.assign(model="another"), "its scores are of images by another"),
        (lambda t: pd.concat([t, t]), "a pair stands in it twice"),
        (lambda t: t.head(0), "the columns are"),
        (lambda t: t.assign(to_original=np.nan), "some of its measures and not the others"),
        (lambda t: t.head(9), "hold 9 seed images, not 12"),
    ],
)
def test_a_table_that_no_run_gives_is_refused(change, said, record):
    assert said in altered(record, change)


def test_another_kind_of_subject_is_refused(record):
    facts = json.loads(record.read_text())
    text = json.dumps({**facts, "subject": {**facts["subject"], "kind": "reward_model"}})
    record.write_text(text)
    assert any(
        "generator that was given seed images" in each for each in check_file(record).refused
    )


def test_a_run_without_its_table_is_told_how_to_make_it(run, tmp_path):
    import shutil

    copy = shutil.copytree(run, tmp_path / "copy")
    (copy / "clean_up.parquet").unlink()
    with pytest.raises(InputError, match="Run the same command again: no image is made anew"):
        add_run(copy, tmp_path / "there")


def test_the_board_shows_it_in_a_table_of_its_own(record):
    results = accepted(record.parents[2])
    tab = generators(results)
    assert tab.table.rows == ()  # no row of dashes among the text-to-image results
    (table,) = tab.more
    (row,) = table.rows
    assert row.entries[0].text == "editor"
    assert row.flag is not None
    assert self_test(results).more == ()
