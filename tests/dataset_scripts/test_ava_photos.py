import hashlib
import io
import json
import re
import shutil
import subprocess
import sys

import numpy as np
import pyarrow.parquet as pq
import pytest
from datasets import Image as ImageFeature
from datasets import load_dataset
from PIL import Image, ImageOps
from support import photo_sources as theirs
from support import scripts
from support.fake_generator import FakeGenerator
from support.scripts import rows

from aas_bench.errors import InputError
from aas_bench.generators.spec import Submission
from aas_bench.publish.build import build
from aas_bench.tables.pairs import load_pairs
from aas_bench.tasks.taxonomy import elements

SCRIPT = scripts.SCRIPTS / "ava_photos.py"
SUBMISSION = Submission.model_validate(
    {
        "id": "some_model",
        "name": "Some model",
        "family": "f",
        "alignment": "base",
        "backend": "openai",
        "model": "m",
        "settings": {},
        "licence": "none",
        "contact": "tests",
    }
)


@pytest.fixture(scope="module")
def script():
    return scripts.script("ava_photos")


@pytest.fixture
def source(tmp_path):
    return theirs.ava_source(tmp_path / "source")


def made(script, out, **options):
    builders = [script.AvaPairs, script.AvaPhotos, script.AvaCommits]
    chosen = [made for each in builders if (made := each(**options)).unavailable() is None]
    return build(chosen, out, progress=False)


def notes(built, kind):
    lines = built.faults_file.read_text(encoding="utf-8").splitlines()
    return [
        (n["config"], n["item"], n["reason"]) for n in map(json.loads, lines) if n["kind"] == kind
    ]


def upright_square(file):
    """The crop, made another way than ours."""
    pixels = np.asarray(ImageOps.exif_transpose(Image.open(file)).convert("RGB"))
    while pixels.shape[1] > pixels.shape[0]:  # one column at a time, the right one first
        pixels = pixels[:, :-1] if (pixels.shape[1] - pixels.shape[0]) % 2 else pixels[:, 1:-1]
    while pixels.shape[0] > pixels.shape[1]:
        pixels = pixels[:-1] if (pixels.shape[0] - pixels.shape[1]) % 2 else pixels[1:-1]
    return pixels


def photo_file(source, ava_id):
    (file,) = (source / "images").rglob(f"{ava_id}.*")
    return file


# What is built


def test_pairs_say_all_that_the_sources_say(script, source, tmp_path):
    built = made(script, tmp_path / "out", source=source)
    assert built.n_faults == 0
    table = rows(built.path, "pairs")
    assert [row["ava_id"] for row in table] == [101, 102, 103]
    for row in table:
        ava_id = row["ava_id"]
        votes = np.repeat(np.arange(1, 11), theirs.COUNTS[ava_id])
        assert row["human_score"] == pytest.approx(votes.mean(), abs=1e-12)
        assert row["human_score_sd"] == pytest.approx(votes.std(ddof=1), abs=1e-12)
        assert (row["n_ratings"], tuple(row["votes"])) == (len(votes), theirs.COUNTS[ava_id])
        assert (row["ava_tags"], row["ava_challenge"]) == ([1, 22], 1396)
        assert row["prompt_original"] == theirs.CLEAN[ava_id]
        assert row["prompt_distorted"].endswith(f"number {ava_id} is spoilt")
        assert row["objective_caption"] == f"{theirs.CLEAN[ava_id]} before a wall"
        assert row["prompt_original_source"] == "clean_caption"
        names = row["dimensions"]
        assert sorted(names) == sorted(theirs.ELEMENTS[ava_id])
        assert names == [name for name in elements() if name in names]  # the taxonomy's order
        file = photo_file(source, ava_id)
        assert row["file_sha256"] == hashlib.sha256(file.read_bytes()).hexdigest()
        clean = (source / "clean" / f"{ava_id}_clean.jpg").read_bytes()
        assert row["image_original"]["bytes"] == clean
        assert (row["label"], row["pair_id"]) == (1, f"unknown/{ava_id}")
        assert row["hpsv3_didp"] is row["hpsv3_oidp"] is row["category"] is None
    assert [row["index"] for row in table] == [0, 1, 2]
    assert table[0]["commits"] == ["c1", "c2"]
    assert table[0]["messages"] == ["message c1", "message c2"]


def test_photos_are_all_that_were_curated_and_commits_all_searches(script, source, tmp_path):
    built = made(script, tmp_path / "out", source=source)
    photos = rows(built.path, "photos")
    assert [row["ava_id"] for row in photos] == [101, 102, 103, 104]
    alone = photos[3]
    assert (alone["prompt_distorted"], alone["dimensions"], alone["commits"]) == (None, [], ["c2"])
    assert (alone["human_score"], alone["human_score_sd"], alone["n_ratings"]) == (5.0, None, 1)
    commits = rows(built.path, "commits")
    assert [(row["commit"], row["n_images"], row["source"]) for row in commits] == [
        ("c1", 2, "photos"),
        ("c2", 3, "photos"),
    ]
    assert commits[0]["negative_prompts"] == ["watermark text overlay", "empty frame noise"]
    assert (commits[1]["threshold"], commits[1]["negative_threshold"]) == (0.39, 0.3)


def test_a_photograph_of_several_captions_has_all_their_elements_once(script, source, tmp_path):
    more = theirs.caption(101, "c2", anti_aesthetic_elements=["emotion_and_subject.surrealism"])
    theirs.write_json(source / "captions" / "c2" / "101.json", more)
    built = made(script, tmp_path / "out", source=source)
    (row,) = (row for row in rows(built.path, "pairs") if row["ava_id"] == 101)
    assert row["dimensions"] == [
        "clarity_and_focus.intentional_blur",
        "emotion_and_subject.surrealism",
    ]
    assert notes(built, "flag") == []  # it says the same


def test_the_objective_caption_stands_in_only_where_that_is_said(script, source, tmp_path):
    theirs.write_json(source / "captions" / "102.json", theirs.caption(102, clean_caption=None))
    built = made(script, tmp_path / "out", source=source)
    row = rows(built.path, "pairs")[1]
    assert row["prompt_original"] == "a person and a dog before a wall"
    assert row["prompt_original_source"] == "objective_caption"


def test_built_twice_the_bytes_are_the_same(script, source, tmp_path):
    one, two = (made(script, tmp_path / name, source=source).path for name in ("one", "two"))
    for file in sorted(one.rglob("*.parquet")):
        assert file.read_bytes() == (two / file.relative_to(one)).read_bytes()


# No photograph leaves without the maintainer's word


def images_in(folder):
    """Every image in the Parquet files below a folder, decoded."""
    for file in folder.rglob("*.parquet"):
        for row in pq.read_table(file).to_pylist():
            for cell in row.values():
                if isinstance(cell, dict) and cell.get("bytes"):
                    yield Image.open(io.BytesIO(cell["bytes"])).convert("RGB")


def traces(folder, source):
    """Photographs whose bytes, or whose cropped pixels, are anywhere in what was written."""
    found = set()
    written = [file.read_bytes() for file in folder.rglob("*") if file.is_file()]
    shown = {hashlib.sha256(np.asarray(image)).hexdigest() for image in images_in(folder)}
    for ava_id in theirs.COUNTS:
        content = photo_file(source, ava_id).read_bytes()
        middle = content[len(content) // 2 : len(content) // 2 + 48]
        square = hashlib.sha256(upright_square(photo_file(source, ava_id)).copy()).hexdigest()
        if any(middle in data for data in written) or square in shown:
            found.add(ava_id)
    return found


def test_no_byte_of_a_photograph_is_written_without_the_flag(script, source, tmp_path):
    built = made(script, tmp_path / "out", source=source)
    assert traces(built.path, source) == set()
    images = [
        n
        for n, f in load_dataset(str(built.path), split="test").features.items()
        if isinstance(f, ImageFeature)
    ]
    assert images == ["image_original"]
    said = (built.path / "README.md").read_text(encoding="utf-8")
    assert "The photographs are not in here" in said
    assert "holds no photograph" in (built.path / "LICENSE").read_text(encoding="utf-8")


def test_with_the_flag_they_are_there_and_the_card_says_on_whose_word(script, source, tmp_path):
    built = made(script, tmp_path / "out", source=source, with_images=True)
    assert traces(built.path, source) == set(theirs.COUNTS)
    said = (built.path / "README.md").read_text(encoding="utf-8")
    assert "on the word of its maintainer" in said
    assert "not in here" not in said


# The reader's own copy


def test_the_readers_copy_gives_the_pixels_of_the_full_edition(script, source, tmp_path):
    full = load_pairs(made(script, tmp_path / "full", source=source, with_images=True).path)
    lean = made(script, tmp_path / "lean", source=source).path
    table = load_pairs(lean, images=source / "images")
    streamed = load_pairs(lean, images=source / "images", streaming=True)
    assert table.features == streamed.features == full.features
    for row, mine, flowing in zip(full, table, streamed, strict=True):
        expected = upright_square(photo_file(source, row["ava_id"]))
        for got in (row, mine, flowing):
            assert np.array_equal(np.asarray(got["image_distorted"]), expected)
            assert got["image_original"].tobytes() == row["image_original"].tobytes()
            assert set(got["dimensions"]) == set(theirs.ELEMENTS[row["ava_id"]])
        plain = [{k: v for k, v in r.items() if not hasattr(v, "tobytes")} for r in (row, mine)]
        assert plain[0] == plain[1]
    with pytest.raises(InputError, match=r"holds its images.*Leave out images"):
        load_pairs(tmp_path / "full", images=source / "images")


# What is wrong with sources


def test_broken_lines_missing_and_damaged_images_cost_only_themselves(source, tmp_path):
    lines = (source / "AVA.txt").read_text().splitlines()
    lines[2:2] = ["5 999 1 2 3", "6 998 " + "x " * 13, lines[0], "7 997 " + "0 " * 13, ""]
    (source / "AVA.txt").write_text("\n".join(lines))
    photo_file(source, 102).unlink()
    photo_file(source, 103).write_bytes(b"\xff\xd8 no picture")
    (source / "captions" / "broken.json").write_text("{")
    done = subprocess.run(
        [sys.executable, SCRIPT, "--source", source, "--dry-run", tmp_path / "out"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    assert "built with faults" in done.stderr
    lines = (tmp_path / "out" / ".build" / "faults.jsonl").read_text().splitlines()
    found = {
        (n["item"], n["reason"])
        for n in map(json.loads, lines)
        if n["kind"] == "fault" and n["config"] == "pairs"
    }
    damaged = next(reason for item, reason in found if item == "103.jpg")
    assert damaged.startswith("103.jpg cannot be read") or "no image" in damaged
    assert found - {("103.jpg", damaged)} == {
        ("AVA.txt line 3", "5 numbers instead of 15"),
        ("AVA.txt line 4", "'x' is not a whole number"),
        ("AVA.txt line 5", "photograph 101 stands already on line 1"),
        ("AVA.txt line 6", "photograph 997 has no ratings"),
        ("102.jpg", "the photograph is not there"),
        ("broken.json", "is not JSON"),
    }
    assert [row["ava_id"] for row in rows(tmp_path / "out", "pairs")] == [101]
    assert [row["ava_id"] for row in rows(tmp_path / "out", "photos")] == [101, 104]


def test_an_unknown_element_leaves_the_photograph_out_and_names_the_nearest(
    script, source, tmp_path
):
    wrong = theirs.caption(102, anti_aesthetic_elements=["color_and_tone.sickly_casts"])
    theirs.write_json(source / "captions" / "102.json", wrong)
    built = made(script, tmp_path / "out", source=source)
    assert [(config, item) for config, item, _ in notes(built, "fault")] == [
        ("pairs", "102.jpg"),
        ("photos", "102.jpg"),
    ]
    assert (
        "'color_and_tone.sickly_casts' (near: color_and_tone.sickly_cast)"
        in notes(built, "fault")[0][2]
    )


def test_doubts_are_flagged_and_the_row_stays(script, source, tmp_path):
    leaking = theirs.caption(101, clean_caption="a blurry cow")
    theirs.write_json(source / "captions" / "101.json", leaking)
    theirs.write_json(
        source / "captions" / "c2" / "103.json",
        theirs.caption(103, anti_aesthetic_caption="another one"),
    )
    curation = json.loads((source / "curation.json").read_text())
    curation["c2"]["images"].remove("103.jpg")
    theirs.write_json(source / "curation.json", curation)
    lines = (source / "AVA.txt").read_text().splitlines()
    (source / "AVA.txt").write_text("\n".join(line for line in lines if " 102 " not in line[:6]))
    built = made(script, tmp_path / "out", source=source)
    assert built.n_faults == 0
    found = [(item, reason) for config, item, reason in notes(built, "flag") if config == "pairs"]
    assert found == [
        (
            "unknown/101",
            "its clean caption says 'blurry', a word of clarity_and_focus.intentional_blur",
        ),
        ("unknown/102", "stands on no line of AVA.txt, so it has no votes"),
        ("unknown/103", "is captioned, but no commit of the curation kept it"),
        ("unknown/103", "has 2 anti-aesthetic captions; that of 103.json is used"),
    ]


def test_two_photographs_of_one_name_are_not_guessed_between(script, source, tmp_path):
    shutil.copy(photo_file(source, 103), source / "images" / "deep" / "103.jpg")
    built = made(script, tmp_path / "out", source=source)
    assert {item for _, item, _ in notes(built, "fault")} == {"103.jpg"}
    assert "2 files of that name" in notes(built, "fault")[0][2]


def test_nothing_to_build_is_said_in_one_line(tmp_path):
    done = subprocess.run(
        [sys.executable, SCRIPT, "--dry-run", tmp_path / "out"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


# Where clean images come from


def test_clean_images_of_a_run_directory(script, source, tmp_path, monkeypatch):
    from aas_bench.run import generate as module
    from aas_bench.run.prompts import Prompt, Prompts

    shutil.rmtree(source / "clean")
    asked = [(0, theirs.CLEAN[101]), (1, "another caption"), (2, theirs.CLEAN[103])]
    prompts = Prompts(
        "t", tuple(Prompt(index=i, cluster=i, original=t, distorted="x") for i, t in asked)
    )
    generator = FakeGenerator(verdicts={(2, "original"): ("refused", "too grim")})
    monkeypatch.setattr(module, "load_generator", lambda *a, **k: generator)
    module.generate(SUBMISSION, prompts, out=tmp_path / "run", progress=False)
    built = made(script, tmp_path / "out", source=source, clean=tmp_path / "run")
    (row,) = rows(built.path, "pairs")
    assert (row["ava_id"], row["model"], row["pair_id"]) == (101, "some_model", "some_model/101")
    image = (tmp_path / "run" / "images" / "0000_original.png").read_bytes()
    assert row["image_original"]["bytes"] == image
    assert [(item, reason) for config, item, reason in notes(built, "fault")] == [
        ("102.jpg", "its clean image was made from another caption ('another caption')"),
        ("103.jpg", "its clean image was not made (refused: too grim)"),
    ]


def test_the_authors_table_of_pairs(script, source, tmp_path):
    shutil.rmtree(source / "captions")
    lines = [
        {
            "index": index,
            "file_name": f"{ava_id}.jpg",
            "image": f"{ava_id}.jpg",
            "clean_image": f"{ava_id}_clean.jpg",
            "category": theirs.ELEMENTS[ava_id][0],
            "elements": theirs.ELEMENTS[ava_id],
            "anti_aesthetic_caption": "spoilt",
            "clean_caption": theirs.CLEAN[ava_id],
            "human_score": 4.5,
            "hpsv3_photo": -1.5,
            "hpsv3_clean": 12.25,
        }
        for index, ava_id in enumerate(theirs.ELEMENTS)
    ]
    (source / "pairs.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    built = made(script, tmp_path / "out", source=source)
    table = rows(built.path, "pairs")
    assert {(row["hpsv3_didp"], row["hpsv3_oidp"]) for row in table} == {(-1.5, 12.25)}
    assert [row["category"] for row in table] == [
        theirs.ELEMENTS[row["ava_id"]][0] for row in table
    ]
    assert {row["model"] for row in table} == {"z_image_turbo"}
    ratings = [reason for _, item, reason in notes(built, "flag") if item.endswith("101")]
    mean = np.average(np.arange(1, 11), weights=theirs.COUNTS[101])
    assert ratings[0] == f"has the mean rating 4.5 in pairs.jsonl row 0, {mean:.3f} in AVA.txt"
    file = built.path / built.configs[0].files[0]
    done = subprocess.run(
        [sys.executable, "-m", "aas_bench", "analyse", file, "--by", "dimensions", "--json"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    groups = json.loads(done.stdout)["rewards"]["hpsv3"]["by"]
    assert set(groups) == {name for names in theirs.ELEMENTS.values() for name in names}
    lines[0]["pickscore_photo"] = 20.0
    (source / "pairs.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    with pytest.raises(InputError, match=r"hold scores of pickscore. Name every one with --reward"):
        made(script, tmp_path / "again", source=source)
    both = made(script, tmp_path / "both", source=source, reward=("hpsv3", "pickscore"))
    assert [row["pickscore_didp"] for row in rows(both.path, "pairs")] == [20.0, None, None]


# A Hub

READ = """
import json, sys
from datasets import Image, load_dataset
from huggingface_hub import DatasetCard
from aas_bench import load_pairs
import hashlib

def told(row):
    return {k: hashlib.sha256(v.tobytes()).hexdigest() if hasattr(v, "tobytes") else v
            for k, v in row.items()}

folder, images = sys.argv[1:]
for config in ("pairs", "photos", "commits"):
    here = [told(row) for row in load_dataset(folder, config, split="test")]
    for streaming in (False, True):
        there = load_dataset("weathon/aas_ava_photos", config, split="test", streaming=streaming)
        assert [told(row) for row in there] == here, config
        local = [told(row) for row in load_dataset(folder, config, split="test", streaming=True)]
        assert local == here
card = DatasetCard.load("weathon/aas_ava_photos")
assert card.data.pretty_name.startswith("AAS AVA photos")
pairs = [[told(row) for row in load_pairs(source, images=images, streaming=streaming)]
         for source in ("ava_photos", folder) for streaming in (False, True)]
assert pairs[0] == pairs[1] == pairs[2] == pairs[3] and len(pairs[0]) == 3
print(json.dumps([row["image_distorted"] for row in pairs[0]]))
"""


def test_round_trip_over_a_hub(loopback_hub, source, tmp_path):
    out = tmp_path / "out"
    pushed = loopback_hub.run(
        sys.executable,
        str(SCRIPT),
        "--source",
        str(source),
        "--dry-run",
        str(out),
        "--push",
        "weathon/aas_ava_photos",
    )
    assert pushed.returncode == 0, pushed.stderr
    files = loopback_hub.files("weathon/aas_ava_photos")
    assert not [name for name in files if name.startswith(".build")]
    images = source / "images"
    got = json.loads(loopback_hub.run_python(READ, str(out), str(images)))
    expected = [
        hashlib.sha256(upright_square(photo_file(source, i)).tobytes()).hexdigest()
        for i in theirs.ELEMENTS
    ]
    assert got == expected


# The table alone


def test_without_images_one_line_says_why_and_what_to_give(script, source, tmp_path):
    built = made(script, tmp_path / "out", source=source)
    message = r"may not be redistributed.*images=FOLDER \(--images FOLDER\).*aas-bench analyse"
    for streaming in (False, True):
        with pytest.raises(InputError, match=message):
            load_pairs(built.path, streaming=streaming)


def test_the_command_line_scores_the_readers_own_photographs(script, source, tmp_path):
    built = made(script, tmp_path / "out", source=source)
    photo_file(source, 103).write_bytes(b"another photograph")

    def score(*options):
        command = ["score", "--data", built.path, "--images", source / "images", *options]
        return subprocess.run(
            [sys.executable, "-m", "aas_bench", *command, "-r", "polish", "--json"],
            capture_output=True,
            text=True,
            check=False,
        )

    stopped = score("--out", tmp_path / "stopped")
    assert stopped.returncode == 2
    said = r"2 of 3 images found in .*1 differ .*--missing-images drop\."
    assert re.search(said, stopped.stderr), stopped.stderr
    gone_on = score("--out", tmp_path / "run", "--missing-images", "drop")
    assert gone_on.returncode == 0, gone_on.stderr
    assert "2 of 3 images found" in " ".join(gone_on.stderr.split())
    assert json.loads(gone_on.stdout)["n_pairs"] == 2
    assert json.loads(gone_on.stdout)["n_errors"] == 0


# The authors' data


@pytest.mark.real
def test_the_authors_samples_keep_every_field(script, real_data, tmp_path):
    folder = real_data / "ava_photos"
    built = made(script, tmp_path / "out", source=folder)
    assert built.n_faults == 0
    given = {
        int(row["file_name"].removesuffix(".jpg")): row
        for row in map(json.loads, (folder / "pairs.jsonl").read_text().splitlines())
    }
    table = {row["ava_id"]: row for row in rows(built.path, "pairs")}
    assert table.keys() == given.keys()
    for ava_id, row in table.items():
        theirs_row = given[ava_id]
        assert row["index"] == theirs_row["index"]
        assert row["file_name"] == theirs_row["file_name"]
        assert row["category"] == theirs_row["category"]
        assert set(row["dimensions"]) == set(theirs_row["elements"])
        assert row["prompt_distorted"] == theirs_row["anti_aesthetic_caption"]
        assert row["prompt_original"] == theirs_row["clean_caption"]
        assert row["human_score"] == theirs_row["human_score"]
        assert row["hpsv3_didp"] == theirs_row["hpsv3_photo"]
        assert row["hpsv3_oidp"] == theirs_row["hpsv3_clean"]
        photo = (folder / theirs_row["image"]).read_bytes()
        assert row["file_sha256"] == hashlib.sha256(photo).hexdigest()
        assert row["image_original"]["bytes"] == (folder / theirs_row["clean_image"]).read_bytes()
    curation = json.loads((folder / "curation.json").read_text())
    photos = {row["file_name"]: row for row in rows(built.path, "photos")}
    assert photos.keys() == {name for each in curation.values() for name in each["images"]}
    for name, row in photos.items():
        kept = [key for key, each in curation.items() if name in each["images"]]
        assert row["commits"] == kept
        assert row["queries"] == [curation[key]["query"] for key in kept]
        assert row["messages"] == [curation[key]["message"] for key in kept]
    for file in (folder / "captions").glob("*.json"):
        said = json.loads(file.read_text())
        row, response = photos[said["image_path"]], said["response"]
        assert set(row["dimensions"]) == set(response["anti_aesthetic_elements"])
        assert row["prompt_distorted"] == response["anti_aesthetic_caption"]
        assert row["objective_caption"] == response["objective_caption"]
    for row in rows(built.path, "commits"):
        each = curation[row["commit"]]
        assert (row["query"], row["message"], row["source"], row["n_images"]) == (
            each["query"],
            each["message"],
            each["dataset"],
            each["size"],
        )
        assert (row["threshold"], row["negative_prompts"], row["negative_threshold"]) == (
            each["threshold"],
            each["negative_prompts"],
            each["negative_threshold"],
        )


@pytest.mark.real
def test_the_authors_scores_are_analysed_from_the_table(script, real_data, tmp_path):
    from aas_bench.tables.scores import load_scores

    built = made(script, tmp_path / "out", source=real_data / "ava_photos")
    scores = load_scores(built.path / "pairs" / "test-00000-of-00001.parquet")
    assert scores.rewards == ("hpsv3",)
    cells = scores.cells("hpsv3")
    assert (cells.oidp > cells.didp).all()  # how their page chose them
    assert set(scores.frame["category"]) <= set(elements())
    assert {name for names in scores.frame["dimensions"] for name in names} <= set(elements())
