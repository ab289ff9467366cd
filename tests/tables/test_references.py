"""One table under every name and in every form that people have it in."""

import json
import re
import sys

import numpy as np
import pandas as pd
import pytest
from datasets import Dataset, Image
from support import toy_pairs
from support.snapshots import COMMIT, snapshot

from aas_bench.cli import main
from aas_bench.errors import InputError
from aas_bench.run.score import score
from aas_bench.tables.open import Reference, commit_of, without_revision
from aas_bench.tables.pairs import load_pairs
from aas_bench.tables.scores import load_scores

CARD = (
    "---\nconfigs:\n"
    "- config_name: prompts\n  data_files: [{split: test, path: prompts/*}]\n"
    "- config_name: pairs\n  data_files: [{split: test, path: pairs/*}]\n---\n"
)


def scored(n=5, *, image_bytes=0):
    """Pairs with scores of one reward model; images may be padded with noise."""
    rng = np.random.default_rng(1)
    rows = list(toy_pairs.rows(n, generators=("one",)))
    for row in rows:
        for cell in ("oiop", "oidp", "diop", "didp"):
            row[f"mine_{cell}"] = round(float(rng.normal()), 3)
        for column in ("image_original", "image_distorted"):
            row[column]["bytes"] += rng.bytes(image_bytes)
    table = Dataset.from_list(rows)
    for column in ("image_original", "image_distorted"):
        table = table.cast_column(column, Image(decode=False))
    return table


def small(table):
    return table.remove_columns(["image_original", "image_distorted"])


def parquet(table, folder):
    table.to_parquet(folder / "made.parquet")
    return (folder / "made.parquet").read_bytes()


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a/b", ("a/b", None, None)),
        ("a/b@v1.0", ("a/b", "v1.0", None)),
        ("a/b@refs/pr/3", ("a/b", "refs/pr/3", None)),
        (f"a/b@{COMMIT}", ("a/b", COMMIT, None)),
        ("hf://datasets/a/b", ("a/b", None, None)),
        ("hf://datasets/a/b@v1/x/y.parquet", ("a/b", "v1", "x/y.parquet")),
        ("hf://datasets/a/b@refs%2Fpr%2F1/x/*.parquet", ("a/b", "refs/pr/1", "x/*.parquet")),
        ("hf://datasets/a/b@refs/convert/parquet/x/0.parquet",
         ("a/b", "refs/convert/parquet", "x/0.parquet")),
    ],
)  # fmt: skip
def test_what_a_reference_names(name, expected):
    found = Reference.of(name)
    assert (found.id, found.revision, found.path) == expected
    again = Reference.of(without_revision(name))
    assert (again.id, again.revision, again.path) == (expected[0], None, expected[2])


@pytest.mark.parametrize("name", ["a", "a/b/c", "hf://models/a/b", "hf://datasets/a", "a b/c", ""])
def test_what_is_no_reference(name):
    assert Reference.of(name) is None


def test_two_revisions_are_refused():
    with pytest.raises(InputError, match=r"asked for at 'v1' and at 'v2'. Give one revision"):
        load_pairs("a/b@v1", revision="v2")


def forms(table, tmp_path):
    """The same table as people have it."""
    card = {"README.md": CARD.encode(), "prompts/test-0.parquet": b""}
    content = parquet(table, tmp_path)
    prompts = parquet(Dataset.from_dict({"prompt": ["a"]}), tmp_path)
    files = {**card, "prompts/test-0.parquet": prompts, "pairs/test-0.parquet": content}
    build = tmp_path / "build"
    for name, each in files.items():
        (build / name).parent.mkdir(parents=True, exist_ok=True)
        (build / name).write_bytes(each)
    table.save_to_disk(tmp_path / "saved")
    (tmp_path / "pairs.parquet").write_bytes(content)
    yield table
    yield table.to_iterable_dataset()
    yield table.to_pandas()
    yield table.to_polars()
    yield tmp_path / "pairs.parquet"
    yield build
    yield tmp_path / "saved"
    yield snapshot(tmp_path, files)
    yield tmp_path / "datasets--weathon--scored/snapshots" / COMMIT / "pairs/test-0.parquet"


def test_every_form_gives_the_same_pairs_and_scores(tmp_path):
    table = scored()
    pixels = [toy_pairs.picture(2 * i + 1).tobytes() for i in range(len(table))]
    for source in forms(table, tmp_path):
        pairs = load_pairs(source)
        pairs = pairs if isinstance(pairs, Dataset) else Dataset.from_list(list(pairs))
        assert pairs["pair_id"][:] == table["pair_id"][:]
        assert pairs["mine_didp"][:] == table["mine_didp"][:]
        assert [image.tobytes() for image in pairs["image_distorted"]] == pixels
        scores = load_scores(source)
        assert scores.frame["pair_id"].tolist() == table["pair_id"][:]
        assert scores.cells("mine").oidp.tolist() == table["mine_oidp"][:]
        assert scores.frame["dimensions"].tolist() == table["dimensions"][:]
        assert scores.label.tolist() == table["label"][:]


def test_what_has_no_revision_refuses_one(tmp_path):
    (tmp_path / "a.parquet").write_bytes(parquet(scored(), tmp_path))
    with pytest.raises(InputError, match=r"a.parquet has no revision. Leave out revision"):
        load_scores(tmp_path / "a.parquet", revision="main")


def test_a_snapshot_tells_its_commit(tmp_path):
    table = scored()
    folder = snapshot(tmp_path, {"data/train-0.parquet": parquet(table, tmp_path)})
    pairs = load_pairs(folder)
    assert commit_of(pairs) == COMMIT
    assert commit_of(load_pairs(folder / "data/train-0.parquet")) == COMMIT
    assert commit_of(pairs.filter(lambda row: row["index"] > 1)) == COMMIT, "kept by `datasets`"
    assert commit_of(load_pairs(table)) is None
    score(pairs.remove_columns(table.column_names[-4:]), "polish", out=tmp_path / "run")
    assert json.loads((tmp_path / "run" / "run.json").read_bytes())["revision"] == COMMIT


CLIENT = """
import json, sys
from aas_bench import load_pairs, load_scores
from aas_bench.tables.open import commit_of
found = []
for source, options in json.loads(sys.argv[1]):
    try:
        pairs = load_pairs(source, **options)
        here = [[row["pair_id"] for row in pairs], commit_of(pairs)]
        table = load_scores(source, revision=options.get("revision"))
        found.append([*here, table.frame["pair_id"].tolist()])
    except Exception as error:
        found.append([type(error).__name__, str(error)])
print(json.dumps(found))
"""


@pytest.fixture
def on_the_hub(loopback_hub, tmp_path):
    """Two commits of a dataset: of four rows, tagged v1, then of five with large images."""
    prompts = parquet(Dataset.from_dict({"prompt": ["a"]}), tmp_path)
    card = {"README.md": CARD.encode(), "prompts/test-0.parquet": prompts}
    first = parquet(scored(4), tmp_path)
    repo = loopback_hub.add("weathon/scored", {**card, "pairs/test-0.parquet": first})
    repo.tag("v1", "main")
    second = parquet(scored(5, image_bytes=300_000), tmp_path)
    lines = small(scored(3)).to_pandas().to_json(orient="records", lines=True)
    files = {"pairs/test-0.parquet": second, "lines/scores.jsonl": lines.encode()}
    repo.commit("main", {**repo.files(), **files}, "more rows")
    return loopback_hub


@pytest.mark.slow
def test_every_reference_to_the_hub(on_the_hub):
    repo = on_the_hub.repos["dataset", "weathon/scored"]
    old, new = repo.resolve("v1"), repo.resolve("main")
    whole = "hf://datasets/weathon/scored"
    calls = {
        ("weathon/scored", ""): new,
        ("weathon/scored@v1", ""): old,
        (f"weathon/scored@{old}", ""): old,
        ("weathon/scored", "v1"): old,
        (whole, ""): new,
        (f"{whole}@v1", ""): old,
        (f"{whole}/pairs/test-0.parquet", ""): new,
        (f"{whole}@v1/pairs/*.parquet", ""): old,
        (f"{whole}@v1/pairs", ""): old,
    }
    streamed = ["weathon/scored@v1", f"{whole}@v1/pairs/*.parquet"]
    asked = [[source, {"revision": revision} if revision else {}] for source, revision in calls]
    asked += [[source, {"streaming": True}] for source in streamed]
    wrong = [[f"{whole}/nothing.parquet", {}], ["weathon/scored@v9", {}]]
    found = json.loads(on_the_hub.run_python(CLIENT, json.dumps([*asked, *wrong])))
    expected = [
        [ids, commit, ids]
        for commit in [*calls.values(), *(old for _ in streamed)]
        for ids in [[f"one/{i:04d}" for i in range(4 if commit == old else 5)]]
    ]
    assert found[:-2] == expected
    assert "there is no such file" in found[-2][1]
    assert "Give a branch, a tag or a full commit hash" in found[-1][1]


COMMANDS = """
import json, sys
from aas_bench.cli import main
for command in json.loads(sys.argv[1]):
    sys.argv = ["aas-bench", *command]
    try:
        main()
    except SystemExit as stop:
        assert not stop.code, (command, stop.code)
    print("=====")
"""


@pytest.mark.slow
def test_analysing_an_id_fetches_no_image_and_every_run_tells_the_commit(on_the_hub, tmp_path):
    repo = on_the_hub.repos["dataset", "weathon/scored"]
    old, new = repo.resolve("v1"), repo.resolve("main")
    size = len(repo.files()["pairs/test-0.parquet"])
    lines = "hf://datasets/weathon/scored/lines/scores.jsonl"
    first = [["analyse", "weathon/scored", "--json"], ["analyse", lines, "--json"]]
    output = on_the_hub.run_python(COMMANDS, json.dumps(first))
    read = sum(r.answered for r in on_the_hub.log if "/resolve/" in r.path)
    assert size > 2_900_000
    assert read < 100_000, "the footer and the columns, not the images"
    hub, text = (json.loads(each) for each in output.split("=====")[:2])
    assert [hub["n_rows"], text["n_rows"]] == [5, 3]
    assert hub["provenance"]["revision"] == text["provenance"]["revision"] == new
    table = scored(5)
    margin = np.subtract(table["mine_didp"][:], table["mine_oidp"][:])
    assert hub["rewards"]["mine"]["preference"]["accuracy"]["value"] == np.mean(margin > 0)
    run = str(tmp_path / "run")
    second = [
        ["evaluate", "-d", "weathon/scored@v1", "-r", "polish", "-o", run, "--json"],
        ["report", run, "-o", str(tmp_path / "again"), "--json"],
        ["analyse", run, "--json"],
    ]
    output = on_the_hub.run_python(COMMANDS, json.dumps(second))
    results = [json.loads(each) for each in output.split("=====")[:3]]
    assert {each["provenance"]["revision"] for each in results} == {old}
    for stored in ("run.json", "pairs.json"):
        about = json.loads((tmp_path / "run" / stored).read_bytes())
        assert (about["source"], about["revision"]) == ("weathon/scored", old)
    for page in (tmp_path / "run" / "report", tmp_path / "again"):
        assert old in (page / "index.html").read_text(encoding="utf-8")


# The authors' own samples


def linked(real_data, tmp_path, name, table):
    folder = real_data / name
    files = {f.name: f.read_bytes() for f in folder.iterdir() if f.is_file()}
    lines = files.pop(table)
    return snapshot(tmp_path, {**files, "metadata.jsonl": lines}, f"datasets--weathon--{name}")


def analysed(source, capsys, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["aas-bench", "analyse", str(source), "--json"])
    with pytest.raises(SystemExit) as stop:
        main()
    assert not stop.value.code
    return json.loads(capsys.readouterr().out)


@pytest.mark.parametrize(
    ("name", "table", "columns"),
    [
        ("ava_photos", "pairs.jsonl", ("hpsv3_clean", "hpsv3_photo")),
        ("wide_spectrum", "pairs.jsonl", ("hpsv3_oidp", "hpsv3_didp")),
        ("lapis", "art.jsonl", (None, "hpsv3")),
    ],
)
def test_the_authors_samples_through_a_snapshot(
    real_data, name, table, columns, tmp_path, capsys, monkeypatch
):
    folder = linked(real_data, tmp_path, name, table)
    frame = pd.read_json(real_data / name / table, lines=True)
    scores = load_scores(folder)
    polished, asked = columns
    assert scores.cells("hpsv3").didp.tolist() == frame[asked].tolist()
    found = analysed(folder, capsys, monkeypatch)
    assert found["provenance"]["revision"] == COMMIT
    assert found["n_rows"] == len(frame)
    if polished is None:
        mean = found["task"]["findings"]
        assert re.search(re.escape(f"{frame[asked].mean():.2f}"[1:]), json.dumps(mean))
        return
    assert scores.cells("hpsv3").oidp.tolist() == frame[polished].tolist()
    chosen = found["rewards"]["hpsv3"]["chosen"]
    assert chosen["value"] == (frame[asked] > frame[polished]).mean()
    assert found["task"]["task"] == name
    pairs = load_pairs(tmp_path / f"datasets--weathon--{name}" / "snapshots" / COMMIT)
    assert len(pairs) == len(frame)
    assert (
        pairs["prompt_distorted"][:]
        == frame.filter(regex="prompt_distorted|anti_aesthetic_caption").iloc[:, 0].tolist()
    )


DOCTOR = """
import json
import aas_bench
print(json.dumps(aas_bench.doctor("weathon/scored@v1").to_dict()))
"""


@pytest.mark.slow
def test_the_doctor_looks_at_an_id_of_the_hub(on_the_hub):
    found = json.loads(on_the_hub.run_python(DOCTOR))
    probes = {each["probe"]: each for each in found["findings"]}
    assert "4 pairs" in json.dumps(found)
    assert "small_image" in probes, "toy images have a few pixels"
    assert all(each["of"] <= 8 for each in found["findings"] if each["of"])
