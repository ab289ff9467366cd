import hashlib
import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
from datasets import Image as ImageFeature
from support import photo_sources as theirs
from support import scripts
from support.scripts import rows

from aas_bench.errors import InputError, SchemaError
from aas_bench.publish.build import build
from aas_bench.tables.pairs import load_pairs

SCRIPT = scripts.SCRIPTS / "lapis_art.py"


@pytest.fixture(scope="module")
def script():
    return scripts.script("lapis_art")


@pytest.fixture
def source(tmp_path):
    return theirs.lapis_source(tmp_path / "source")


def made(script, out, **options):
    return build([script.LapisArt(**options)], out, progress=False)


def notes(built, kind):
    lines = built.faults_file.read_text(encoding="utf-8").splitlines()
    return [(n["item"], n["reason"]) for n in map(json.loads, lines) if n["kind"] == kind]


def file_of(source, row):
    (file,) = (source / "images").rglob(row["file_name"])
    return file


def test_a_row_says_all_that_lapis_and_the_captions_say(script, source, tmp_path):
    built = made(script, tmp_path / "out", source=source)
    assert (built.n_faults, notes(built, "flag")) == (0, [])
    table = rows(built.path)
    for number, (row, told) in enumerate(zip(table, theirs.PAINTINGS, strict=True)):
        name, said, mean, sd, n_raters = told
        assert (row["file_name"], row["caption"]) == (f"{name}.jpg", said)
        assert (row["human_score"], row["human_score_sd"]) == (mean, sd)
        assert (row["n_ratings"], row["lapis_id"], row["index"]) == (
            n_raters,
            100 + number,
            7 + number,
        )
        assert f"{row['artist']}_{row['title']}" == name
        assert (row["style"], row["genre"]) == ("Realism", "still life")
        assert row["hpsv3_didp"] == number - 4.25
        content = file_of(source, row).read_bytes()
        assert row["file_sha256"] == hashlib.sha256(content).hexdigest()
        assert (row["width"], row["height"]) == (20 + number, 25)
        assert row["pair_id"] == f"painting/{name}.jpg"


def test_ratings_one_by_one_give_mean_deviation_and_number_and_nothing_else(
    script, source, tmp_path
):
    name = theirs.PAINTINGS[0][0]
    given = [10, 40, 70, 100]
    lines = ["image_filename,response,participant_id,age,nationality"]
    lines += [f"figurative/{name}.jpg,{r},p{i},3{i},Belgian" for i, r in enumerate(given)]
    (source / "LAPIS.csv").write_text("\n".join(lines))
    built = made(script, tmp_path / "out", source=source)
    row, other, _ = rows(built.path)
    assert row["human_score"] == pytest.approx(np.mean(given))
    assert row["human_score_sd"] == pytest.approx(np.std(given, ddof=1))
    assert row["n_ratings"] == 4
    assert not {"participant_id", "age", "nationality", "response"} & set(row)
    assert b"Belgian" not in b"".join(f.read_bytes() for f in built.path.rglob("*") if f.is_file())
    assert other["human_score"] is None
    said = "the annotations do not know it, so it has no ratings"
    assert [reason for _, reason in notes(built, "flag")] == [said, said]


def captions(source, **changes):
    """The captions' table with changes to its first row."""
    file = source / "art.jsonl"
    lines = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    lines[0] |= changes
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return lines


@pytest.mark.parametrize(
    ("caption", "reasons"),
    [
        (
            'Boats. The artist\'s signature, "John Miller," is in the corner.',
            ["its caption quotes 'John Miller', which may be a signature or a title"],
        ),
        ("Still life with Shells (1918), after all", []),
        ("A work by Kustodiev", ["its caption names its artist, 'kustodiev'"]),
        ("A signature is visible in the lower left corner.", []),
        ('A shop sign that says "Bakery" above a door', []),
    ],
)
def test_captions_that_say_more_than_what_is_seen_are_flagged(
    script, source, tmp_path, caption, reasons
):
    captions(source, caption=caption)
    built = made(script, tmp_path / "out", source=source)
    assert [reason for _, reason in notes(built, "flag")] == reasons


def test_a_title_in_the_caption_is_flagged(script, source, tmp_path):
    lines = captions(source)
    lines[2]["caption"] = "The drying of the sails, on a beach"
    (source / "art.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    built = made(script, tmp_path / "out", source=source)
    title = theirs.PAINTINGS[2][0].partition("_")[2]
    assert notes(built, "flag") == [
        (
            f"painting/{theirs.PAINTINGS[2][0]}.jpg",
            f"its caption holds its title, {title.replace('-', ' ')!r}",
        )
    ]


def test_what_is_wrong_costs_only_itself(source, tmp_path):
    captions(source, caption="")
    lines = (source / "LAPIS.csv").read_text(encoding="utf-8").splitlines()
    lines[3] = lines[3].replace(",74.7,", ",174.7,")
    (source / "LAPIS.csv").write_text("\n".join(lines), encoding="utf-8")
    file_of(source, {"file_name": f"{theirs.PAINTINGS[1][0]}.jpg"}).write_bytes(b"no picture")
    done = subprocess.run(
        [sys.executable, SCRIPT, "--source", source, "--dry-run", tmp_path / "out"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    lines = (tmp_path / "out" / ".build" / "faults.jsonl").read_text().splitlines()
    found = {n["item"]: n["reason"] for n in map(json.loads, lines) if n["kind"] == "fault"}
    assert found.pop("art.jsonl row 0") == "it has no caption"
    assert found.pop("LAPIS.csv row 2") == "its mean rating 174.7 is outside 0 to 100"
    ((item, reason),) = found.items()
    assert item == f"{theirs.PAINTINGS[1][0]}.jpg"
    assert "no image of a known format" in reason
    (row,) = rows(tmp_path / "out")
    assert (row["human_score"], row["hpsv3_didp"]) == (None, -2.25)


def test_the_card_tells_how_many_works_have_no_caption(script, source, tmp_path):
    lines = (source / "art.jsonl").read_text(encoding="utf-8").splitlines()
    (source / "art.jsonl").write_text(lines[0] + "\n", encoding="utf-8")
    built = made(script, tmp_path / "out", source=source)
    said = (built.path / "README.md").read_text(encoding="utf-8")
    assert "2 works of LAPIS have no caption" in said


def test_no_score_is_passed_over_and_tables_without_names_are_refused(script, source, tmp_path):
    captions(source, hpsv2=0.25)
    with pytest.raises(InputError, match=r"also holds scores: hpsv2\. Name every one"):
        made(script, tmp_path / "out", source=source)
    built = made(script, tmp_path / "both", source=source, reward=("hpsv3", "hpsv2"))
    assert [row["hpsv2_didp"] for row in rows(built.path)] == [0.25, None, None]
    (source / "art.jsonl").write_text('{"text": "a boat"}\n')
    with pytest.raises(SchemaError, match=r"no column for file_name .*; caption .*There is text"):
        made(script, tmp_path / "none", source=source)


def traces(folder, source):
    """Paintings of whose file a piece stands anywhere in what was written."""
    written = [file.read_bytes() for file in folder.rglob("*") if file.is_file()]
    found = set()
    for file in (source / "images").rglob("*.jpg"):
        content = file.read_bytes()
        middle = content[len(content) // 2 : len(content) // 2 + 48]
        if any(middle in data for data in written):
            found.add(file.stem)
    return found


def test_no_byte_of_a_painting_is_written_without_the_flag(script, source, tmp_path):
    lean = made(script, tmp_path / "lean", source=source)
    assert traces(lean.path, source) == set()
    full = made(script, tmp_path / "full", source=source, with_images=True)
    assert traces(full.path, source) == {name for name, *_ in theirs.PAINTINGS}
    for built, said in ((lean, "The paintings are not in here"), (full, "on the word of")):
        assert said in (built.path / "README.md").read_text(encoding="utf-8")


def test_the_readers_copy_gives_the_pixels_of_the_full_edition(script, source, tmp_path):
    full = load_pairs(made(script, tmp_path / "full", source=source, with_images=True).path)
    lean = made(script, tmp_path / "lean", source=source).path
    table = load_pairs(lean, images=source / "images")
    streamed = load_pairs(lean, images=source / "images", streaming=True)
    assert table.features == streamed.features == full.features
    for row, mine, flowing in zip(full, table, streamed, strict=True):
        assert row["image_original"] is mine["image_original"] is flowing["image_original"] is None
        pixels = {r["image_distorted"].tobytes() for r in (row, mine, flowing)}
        assert len(pixels) == 1
        told = [
            {k: v for k, v in r.items() if k != "image_distorted"} for r in (row, mine, flowing)
        ]
        assert told[0] == told[1] == told[2]
        assert mine["prompt_distorted"] in {said for _, said, *_ in theirs.PAINTINGS}
    undecoded = table.cast_column("image_distorted", ImageFeature(decode=False))
    assert all(cell["bytes"] is None for cell in undecoded["image_distorted"][:])  # no copy is made
    with pytest.raises(InputError, match="may not be redistributed"):
        load_pairs(lean)


READ = """
import hashlib, json, sys
from datasets import load_dataset
from huggingface_hub import DatasetCard
from aas_bench import load_pairs

def told(row):
    return {k: hashlib.sha256(v.tobytes()).hexdigest() if hasattr(v, "tobytes") else v
            for k, v in row.items()}

folder, images = sys.argv[1:]
here = [dict(row) for row in load_dataset(folder, split="test")]
for streaming in (False, True):
    there = load_dataset("weathon/aas_lapis_art", split="test", streaming=streaming)
    assert list(there) == here
assert DatasetCard.load("weathon/aas_lapis_art").data.pretty_name.startswith("AAS LAPIS")
pairs = [[told(row) for row in load_pairs(source, images=images, streaming=streaming)]
         for source in ("lapis_art", folder) for streaming in (False, True)]
assert pairs[0] == pairs[1] == pairs[2] == pairs[3]
print(len(pairs[0]))
"""


def test_round_trip_over_a_hub(loopback_hub, source, tmp_path):
    out = tmp_path / "out"
    options = ["--source", str(source), "--dry-run", str(out), "--push", "weathon/aas_lapis_art"]
    pushed = loopback_hub.run(sys.executable, str(SCRIPT), *options)
    assert pushed.returncode == 0, pushed.stderr
    assert int(loopback_hub.run_python(READ, str(out), str(source / "images"))) == 3


@pytest.mark.real
def test_the_authors_samples_keep_every_field(script, real_data, tmp_path):
    folder = real_data / "lapis"
    built = made(script, tmp_path / "out", source=folder)
    given = [json.loads(line) for line in (folder / "art.jsonl").read_text().splitlines()]
    for row, before in zip(rows(built.path), given, strict=True):
        assert (row["index"], row["file_name"]) == (before["index"], before["image"])
        assert (row["caption"], row["hpsv3_didp"]) == (before["caption"], before["hpsv3"])
        content = (folder / before["image"]).read_bytes()
        assert row["file_sha256"] == hashlib.sha256(content).hexdigest()
    assert [item for item, _ in notes(built, "flag")] == ["painting/7482.jpg"]
    copy = shutil.copytree(folder, tmp_path / "copy")
    assert len(load_pairs(built.path, images=copy)) == len(given)
