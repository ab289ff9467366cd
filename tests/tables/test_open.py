import io
import json
import sys
import types

import pytest
from datasets import Dataset
from support import author_tables, toy_pairs

from aas_bench.errors import InputError, UnknownNameError
from aas_bench.tables.pairs import load_pairs
from aas_bench.tasks.catalog import TASKS


def parquet(table):
    file = io.BytesIO()
    table.to_parquet(file)
    return file.getvalue()


# Names and paths


@pytest.mark.parametrize(
    ("source", "match"),
    [
        ("wide_spectrun", r"no task is called 'wide_spectrun'. Did you mean wide_spectrum\?"),
        ("zzz", r"no task is called 'zzz'\. There are: .*, lapis_art\. List them with"),
    ],
)
def test_a_bare_word_is_a_task(source, match):
    with pytest.raises(UnknownNameError, match=match):
        load_pairs(source)


@pytest.mark.parametrize(
    ("source", "match"),
    [
        ("runs/pairs.parquet", r"runs/pairs.parquet: there is no such file. Check the path"),
        ("pairs.jsonl", r"pairs.jsonl: there is no such file. Check the path"),
        ("a/b/c", r"a/b/c: there is no such file or folder. Check the path"),
        ("s3://bucket/pairs.parquet", r"s3://bucket/pairs.parquet: addresses are not read.*Copy"),
        ("gs://bucket/folder", r"gs://bucket/folder: addresses are not read, but for hf://"),
        ("./runs/x", r"runs/x: there is no such file or folder. Check the path"),
    ],
)
def test_a_path_to_nothing(source, match):
    with pytest.raises(InputError, match=match):
        load_pairs(source)


def test_files_that_are_no_tables(tmp_path):
    (tmp_path / "t.xlsx").write_bytes(b"x")
    (tmp_path / "t.parquet").write_bytes(b"x")
    with pytest.raises(InputError, match=r"cannot read '.xlsx'. Give .parquet"):
        load_pairs(tmp_path / "t.xlsx")
    with pytest.raises(InputError, match=r"cannot be read as a dataset .*Check what it holds"):
        load_pairs(tmp_path / "t.parquet")


def test_a_folder_without_data(tmp_path):
    with pytest.raises(InputError, match=r"cannot be read as a dataset .*Check what it holds"):
        load_pairs(tmp_path)
    with pytest.raises(InputError, match=r"is a folder and has no revision. Leave out"):
        load_pairs(tmp_path, revision="main")


def test_the_folder_one_is_in_is_read_by_its_dot(tmp_path, monkeypatch):
    rows = list(toy_pairs.rows(1, generators=("one",)))
    toy_pairs.dataset(rows).to_parquet(tmp_path / "test-0.parquet")
    monkeypatch.chdir(tmp_path)
    assert load_pairs(".")["pair_id"][:] == [row["pair_id"] for row in rows]


def test_a_folder_whose_saved_dataset_is_damaged(tmp_path):
    toy_pairs.dataset(toy_pairs.rows(1)).save_to_disk(tmp_path)
    next(tmp_path.glob("*.arrow")).write_bytes(b"x")
    with pytest.raises(InputError, match=r"cannot be read as a dataset .*Check what it holds"):
        load_pairs(tmp_path)


def test_a_script_in_a_folder_is_never_run(tmp_path):
    mark = tmp_path / "ran"
    script = f"open({str(mark)!r}, 'w')\n"
    (tmp_path / f"{tmp_path.name}.py").write_text(script)
    with pytest.raises(InputError, match="scripts are no longer supported"):
        load_pairs(tmp_path)
    assert not mark.exists()


# Tasks


@pytest.fixture
def counterfactual(monkeypatch):
    """The split of the package, in small."""
    module = types.ModuleType("aas_bench.counterfactual.split")
    table = toy_pairs.dataset(toy_pairs.rows(2, generators=("photo",)))
    module.counterfactual_dataset = lambda: table
    monkeypatch.setitem(sys.modules, module.__name__, module)
    return table


def test_the_built_in_task(counterfactual):
    expected = counterfactual["pair_id"][:]
    assert load_pairs("counterfactual")["pair_id"][:] == expected
    streamed = load_pairs("counterfactual", streaming=True, limit=1)
    assert [row["pair_id"] for row in streamed] == expected[:1]
    with pytest.raises(InputError, match=r"has no split and no revision. Leave out split, rev"):
        load_pairs("counterfactual", split="test", revision="main")


def test_a_task_is_read_from_the_authors_until_our_edition_is_there(monkeypatch):
    import datasets
    from datasets.exceptions import DatasetNotFoundError

    asked = []
    table = author_tables.dataset(author_tables.benchmark_rows(2))

    def configs(name, **options):
        asked.append(name)
        if name == TASKS["wide_spectrum"].authors_id:
            return ["default"]
        msg = f"Dataset '{name}' doesn't exist on the Hub or cannot be accessed."
        raise DatasetNotFoundError(msg)

    monkeypatch.setattr(datasets, "get_dataset_config_names", configs)
    monkeypatch.setattr(datasets, "get_dataset_default_config_name", lambda *a, **k: "default")
    builder = types.SimpleNamespace(
        hash="0" * 40, download_and_prepare=list, as_dataset=lambda split: {"train": table}
    )
    monkeypatch.setattr(datasets, "load_dataset_builder", lambda *a, **k: builder)
    with pytest.warns(UserWarning, match="Reading the authors' own table, weathon/aas_benchmark"):
        assert len(load_pairs("wide_spectrum")) == 4
    assert asked == [TASKS["wide_spectrum"].hub_id, TASKS["wide_spectrum"].authors_id]
    with pytest.raises(InputError, match="no dataset of that name on the Hub"):
        load_pairs("ava_photos")


# The Hub

CLIENT = """
import json, sys
from aas_bench import load_pairs
outcomes = []
for source, options in json.loads(sys.argv[1]):
    try:
        pairs = load_pairs(source, **options)
        outcomes.append([row["pair_id"] for row in pairs])
    except Exception as error:
        outcomes.append([type(error).__name__, str(error)])
print(json.dumps(outcomes))
"""


FILES = "hf://datasets/weathon"


@pytest.fixture
def on_the_hub(loopback_hub, repositories, tmp_path):
    """What each call gives in a fresh process; settings point it elsewhere or take the network."""
    for repo_id, files in repositories.items():
        loopback_hub.add(repo_id, files, gated=repo_id == "weathon/gated")

    def outcomes(calls, **settings):
        given = [f"{name}={value}" for name, value in settings.items()]
        program = [sys.executable, "-c", CLIENT, json.dumps(calls)]
        done = loopback_hub.run("env", *given, *program, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        assert loopback_hub.token not in done.stdout + done.stderr
        return json.loads(done.stdout)

    return outcomes


@pytest.fixture(scope="module")
def repositories():
    rows = list(toy_pairs.rows(2, generators=("one", "two")))
    pairs = parquet(toy_pairs.dataset(rows))
    pointing = Dataset.from_list(rows).data.table.to_pylist()
    pointing[0]["image_original"] = {"bytes": None, "path": "/etc/hostname"}
    card = (
        "---\nconfigs:\n"
        "- config_name: prompts\n  data_files: [{split: test, path: prompts/*}]\n"
        "- config_name: pairs\n  data_files: [{split: test, path: pairs/*}]\n---\n"
    )
    prompts = parquet(Dataset.from_dict({"prompt": ["a"]}))
    names = [{n: v for n, v in r.items() if not n.startswith("image_")} for r in rows]
    for i, row in enumerate(names):
        row |= {"image_original_file_name": f"{i}.png", "image_distorted_file_name": f"{i}.png"}
    folder = {f"{i}.png": toy_pairs.png(toy_pairs.picture(i)) for i in range(len(rows))}
    folder["metadata.jsonl"] = "".join(json.dumps(r) + "\n" for r in names).encode()
    text = parquet(Dataset.from_list([r | {"image_original": "a.png"} for r in rows[:1]]))
    return {
        "weathon/clean": {
            "README.md": card.encode(),
            "prompts/test-0.parquet": prompts,
            "pairs/test-0.parquet": pairs,
        },
        "weathon/plain": {"data/train-0.parquet": pairs},
        "weathon/emotion": {
            "data/train-0.parquet": parquet(author_tables.dataset(author_tables.emotion_rows(2)))
        },
        "weathon/folder": folder,
        "weathon/text": {"data/train-0.parquet": text},
        "weathon/empty": {"README.md": b"nothing"},
        "weathon/gated": {"data/train-0.parquet": pairs},
    }


@pytest.mark.slow
def test_reading_from_the_hub(on_the_hub, loopback_hub):
    four = ["one/0000", "one/0001", "two/0000", "two/0001"]
    sources = {
        "weathon/clean": four,
        "weathon/plain": four,
        "weathon/folder": four,
        "weathon/emotion": [
            f"gemini-2.5-flash-image/{i:04d}/{e}" for i in (0, 1) for e in author_tables.NEGATIVE
        ],
    }
    calls = [[s, {"streaming": streaming}] for s in sources for streaming in (False, True)]
    commit = loopback_hub.repos["dataset", "weathon/plain"].resolve("main")
    pinned = ["weathon/plain", {"revision": commit, "limit": 1}]
    *outcomes, one = on_the_hub([*calls, pinned])
    assert outcomes == [sources[source] for source, _ in calls]
    assert one == four[:1]
    (offline,) = on_the_hub([["weathon/plain", {}]], HF_HUB_OFFLINE="1")
    assert offline == four, "what is in the cache needs no network"


def test_what_the_hub_does_not_give(on_the_hub):
    calls = {
        "no dataset of that name on the Hub, or it is private. Check": ["weathon/none", {}],
        "weathon/gated is gated. Accept its terms on https": ["weathon/gated", {}],
        "Give a branch, a tag or a full commit hash": ["weathon/plain", {"revision": "old"}],
        "cannot be read as a dataset": ["weathon/empty", {}],
        "has none called 'x'. Choose one with config= (--config)": [
            "weathon/clean",
            {"config": "x"},
        ],
        "holds text, not images. Embed the images": ["weathon/text", {}],
        "no folder 'weathon/none' here and no": [
            f"{FILES}/none/*.parquet",
            {},
        ],
        "weathon/gated is gated. Accept": [f"{FILES}/gated/data/*.parquet", {}],
        "a tag or a full commit hash.": [f"{FILES}/plain@old/data/*.parquet", {}],
        "there is no such file at": [f"{FILES}/plain/x/*.parquet", {}],
    }
    outcomes = on_the_hub(list(calls.values()))
    for expected, (kind, message) in zip(calls, outcomes, strict=True):
        assert expected in message
        assert kind in ("InputError", "NotOnHubError", "SchemaError")
        assert "\n" not in message


def test_no_network_and_nothing_in_the_cache(on_the_hub):
    calls = [["weathon/plain", {}], ["wide_spectrum", {"streaming": True}]]
    outcomes = on_the_hub(calls, HF_ENDPOINT="http://127.0.0.1:1", HF_HUB_OFFLINE="1")
    files = [[f"{FILES}/plain/data/*.parquet", {}]]
    outcomes += on_the_hub(files, HF_ENDPOINT="http://127.0.0.1:1")
    for kind, message in outcomes:
        assert kind == "BackendError"
        assert "the Hub does not answer and the dataset is not in the cache" in message
        assert "\n" not in message
