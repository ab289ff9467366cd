import json

import pytest
from datasets import List, Value
from support import author_tables, scripts
from support.generator_runs import run
from support.round_trip import round_trip

from aas_bench.errors import SchemaError
from aas_bench.publish.build import build
from aas_bench.run.prompts import Prompts, load_prompts
from aas_bench.sources.own_prompts import NEGATIVE, emotion_prompts
from aas_bench.tables.pairs import load_pairs
from aas_bench.tables.schema import PAIR_COLUMNS
from aas_bench.tasks.taxonomy import EMOTIONS

REWARDS = {"hpsv2": "hpsv2", "hpsv3": "hpsv3", "img_reward": "image_reward", "blip": "blip"}


@pytest.fixture(scope="module")
def script():
    return scripts.script("emotion_bias")


@pytest.fixture
def table(tmp_path):
    """`weathon/emotion_bias_dataset` in small: 29 columns."""
    rows = list(author_tables.emotion_rows())
    assert len(rows[0]) == 29
    file = tmp_path / "faces.parquet"
    author_tables.dataset(rows).to_parquet(file)
    return file


@pytest.fixture
def asked(script, tmp_path):
    """What a run of the first portraits is asked for: the configuration `prompts`."""
    built = build([script.EmotionPrompts()], tmp_path / "prompts", limit=3, progress=False)
    return load_prompts(built.path)


def builders(script, *sources):
    options = {"source": tuple(map(str, sources))}
    return [script.EmotionPairs(**options), script.EmotionFaces(**options)]


def made(script, out, *sources):
    return build(builders(script, *sources), out, progress=False)


def test_tables_and_runs_go_to_a_hub_and_come_back(
    script, loopback_hub, table, asked, tmp_path, monkeypatch
):
    folder = run(tmp_path / "flux", asked)
    all_three = [*builders(script, table, folder), script.EmotionPrompts()]
    built = round_trip(loopback_hub, all_three, tmp_path / "b", monkeypatch=monkeypatch)
    assert [(c.name, c.n_rows, c.n_faults) for c in built.configs] == [
        ("pairs", 18, 0),
        ("faces", 6, 0),
        ("prompts", 90, 0),
    ]
    assert built.task.hub_id == "weathon/aas_emotion_bias"


def test_every_one_of_the_authors_columns_is_in_faces(script, table, tmp_path):
    built = made(script, tmp_path / "b", table)
    for row, original in zip(
        scripts.rows(built.path, "faces"), author_tables.emotion_rows(), strict=True
    ):
        assert {name: row[name] for name in original} == original
        assert row["model"] == "gemini-2.5-flash-image"


def test_pairs_are_canonical_and_hold_their_own_scores(script, table, tmp_path):
    built = made(script, tmp_path / "b", table)
    theirs, ours = load_pairs(table), load_pairs(built.path)
    originals = list(author_tables.emotion_rows())
    for number, (row, whole) in enumerate(
        zip(scripts.undecoded(ours), scripts.undecoded(theirs), strict=True)
    ):
        assert {n: row[n] for n in PAIR_COLUMNS} == {n: whole[n] for n in PAIR_COLUMNS}
        emotion, original = NEGATIVE[number % 3], originals[number // 3]
        assert row["dimensions"] == [emotion]
        assert (row["label"], row["label_source"]) == (1, "construction")
        for name, reward in REWARDS.items():
            assert row[f"{reward}_didp"] == original[f"{emotion}_{name}"]
            assert row[f"{reward}_oidp"] == original[f"{emotion}_{name}_happy_image"]
        assert not any(name.startswith(NEGATIVE) for name in row)


def test_faces_are_four_pairs_to_the_loader_too(script, table, tmp_path):
    built = made(script, tmp_path / "b", table)
    from_faces = load_pairs(built.path, config="faces")
    from_pairs = load_pairs(built.path)
    for name in ("pair_id", "prompt_original", "prompt_distorted", "label", "dimensions"):
        assert from_faces[name][:] == from_pairs[name][:]


def test_the_schema_is_clean(script, table):
    pairs, faces = builders(script, table)
    assert list(faces.info.features)[:5] == [*(f"{e}_image" for e in EMOTIONS), "prompt"]
    assert pairs.info.features["dimensions"] == List(Value("string"))
    assert list(pairs.info.features)[:2] == ["image_original", "image_distorted"]


def test_lists_of_score_and_sigma_become_two_columns(script, tmp_path):
    rows = list(author_tables.emotion_rows(2))
    for row in rows:
        row["sad_hpsv3"] = [row["sad_hpsv3"], 0.5]
    author_tables.dataset(rows).to_parquet(tmp_path / "faces.parquet")
    built = made(script, tmp_path / "b", tmp_path / "faces.parquet")
    for row, original in zip(scripts.rows(built.path, "faces"), rows, strict=True):
        assert [row["sad_hpsv3"], row["sad_hpsv3_sigma"]] == original["sad_hpsv3"]
    sad, angry, _ = scripts.rows(built.path, "pairs")[:3]
    assert (sad["hpsv3_didp_sigma"], angry["hpsv3_didp_sigma"]) == (0.5, None)


def test_a_run_gives_pairs_with_their_own_happy_faces_and_scores(script, asked, tmp_path):
    folder = run(tmp_path / "flux", asked)
    built = made(script, tmp_path / "b", folder)
    pairs = scripts.rows(built.path, "pairs")
    decoded = load_pairs(built.path)
    for number, (row, pair) in enumerate(zip(pairs, decoded, strict=True)):
        portrait, emotion = emotion_prompts()[number // 3], NEGATIVE[number % 3]
        assert row["pair_id"] == f"flux/{number // 3:04d}/{emotion}"
        assert (row["index"], row["prompt"]) == (number // 3, portrait.template)
        assert row["prompt_original"] == portrait.filled("happy")
        assert row["prompt_distorted"] == portrait.filled(emotion)
        for role in ("original", "distorted"):
            content = (folder / "images" / f"{number:04d}_{role}.png").read_bytes()
            assert row[f"image_{role}"]["bytes"] == content
        for role, part in (("original", "oidp"), ("distorted", "didp")):
            red = pair[f"image_{role}"].getpixel((0, 0))[0]
            assert row[f"length_{part}"] == pytest.approx(len(row["prompt_distorted"]) + red / 1000)
    for number, row in enumerate(scripts.rows(built.path, "faces")):
        three = pairs[3 * number : 3 * number + 3]
        assert row["happy_image"] == three[0]["image_original"]
        assert row["prompt"] == emotion_prompts()[number].template
        for emotion, pair in zip(NEGATIVE, three, strict=True):
            assert row[f"{emotion}_image"] == pair["image_distorted"]
            assert row[f"{emotion}_length"] == pair["length_didp"]
            beside = pair["length_oidp"] if emotion == "sad" else None
            assert row[f"{emotion}_length_happy_image"] == beside


def test_a_portrait_of_which_a_face_was_refused_is_left_out(script, asked, tmp_path):
    refused = {(4, "distorted"): ("refused", "distress"), (6, "original"): ("failed", "HTTP 500")}
    folder = run(tmp_path / "flux", asked, verdicts=refused)
    built = made(script, tmp_path / "b", folder)
    reasons = [
        (f"{folder} portrait 1", "flux: the distorted image was refused: distress"),
        (f"{folder} portrait 2", "the original image was failed: HTTP 500"),
    ]
    assert scripts.notes(built.path) == reasons * 2  # of pairs, then of faces
    assert [c.n_rows for c in built.configs] == [3, 1]


def test_a_run_on_other_prompts_holds_no_portraits(script, tmp_path):
    from support.generator_runs import prompts

    folder = run(tmp_path / "flux", prompts())
    done = scripts.call("emotion_bias", "--source", folder, "--dry-run", tmp_path / "b")
    assert done.returncode == 2
    assert "the source holds no items. Check the source." in done.stderr


def test_the_prompts_fill_the_slot(script, tmp_path):
    built = build([script.EmotionPrompts()], tmp_path / "b", progress=False)
    rows = scripts.rows(built.path, "prompts")
    assert [r["index"] for r in rows] == list(range(90))
    for number, row in enumerate(rows):
        emotion = NEGATIVE[number % 3]
        assert row["prompt_distorted"] == row["template"].replace("[emotion]", emotion)
        assert row["prompt_original"] == row["template"].replace("[emotion]", "happy")
        assert row["emotion"] == emotion
    assert isinstance(load_prompts(built.path), Prompts)


def faces_folder(folder, lines):
    from support.toy_pairs import picture

    for i, emotion in enumerate(EMOTIONS):
        picture(i).save(folder / f"{emotion}.png")
    (folder / "cut.png").write_bytes((folder / "sad.png").read_bytes()[:70])
    text = [line if isinstance(line, str) else json.dumps(line) for line in lines]
    (folder / "metadata.jsonl").write_text("\n".join(text))
    return folder


FACES = {f"{emotion}_image_file_name": f"{emotion}.png" for emotion in EMOTIONS}


def test_a_local_folder_is_read_and_its_faults_listed(tmp_path):
    good = {**FACES, "prompt": "an old man looks [emotion]", "sad_hpsv2": 0.25}
    source = faces_folder(
        tmp_path,
        [
            good,
            {**good, "prompt": "an old man"},
            {**good, "sad_image_file_name": "absent.png"},
            {**good, "angry_image_file_name": "cut.png"},
            {**good, "happy_image_file_name": None},
            "nonsense",
        ],
    )
    done = scripts.program("emotion_bias", "--source", source, "--dry-run", tmp_path / "b")
    assert done.returncode == 1, done.stderr
    assert "pairs: 3 rows of 6 items in 1 files; 5 left out, 0 flags" in done.stdout
    assert "faces: 1 rows of 6 items in 1 files; 5 left out, 0 flags" in done.stdout
    told = ["no [emotion] slot", "no file 'absent.png'", "cannot be read", "is null", "not JSON"]
    reasons = [reason for _, reason in scripts.notes(tmp_path / "b")]
    for reason, text in zip(reasons, told * 2, strict=True):
        assert text in reason
    [row] = scripts.rows(tmp_path / "b", "faces")
    for emotion in EMOTIONS:
        content = (tmp_path / f"{emotion}.png").read_bytes()
        assert row[f"{emotion}_image"] == {"bytes": content, "path": f"{emotion}.png"}
    assert row["sad_hpsv2"] == 0.25
    assert load_pairs(tmp_path / "b")["hpsv2_didp"][:] == [0.25, None, None]


def test_another_table_is_refused(script, tmp_path):
    author_tables.dataset(author_tables.benchmark_rows()).to_parquet(tmp_path / "t.parquet")
    with pytest.raises(SchemaError, match=r"needs happy_image, sad_image, .* and prompt. Add"):
        builders(script, tmp_path / "t.parquet")


def test_an_empty_source_is_one_line(tmp_path):
    (tmp_path / "faces.jsonl").write_text("")
    arguments = ["--source", tmp_path / "faces.jsonl", "--dry-run", tmp_path / "b"]
    done = scripts.call("emotion_bias", *arguments)
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert "holds no rows. Give at least one JSON object a line." in done.stderr
