"""One law for the columns of all published sets, each as `load_dataset` gives it."""

import evaluate
import numpy as np
import polars as pl
import pytest
import torch
from datasets import ClassLabel, Dataset, Features, List, Value, concatenate_datasets, load_dataset
from support import author_tables, photo_sources, scripts
from support.generator_runs import prompts, run
from support.snapshots import linked

from aas_bench.errors import InputError
from aas_bench.metric import metric_path
from aas_bench.tables.pairs import load_pairs
from aas_bench.tables.scores import load_scores

SETS = {
    "wide_spectrum": "pairs",
    "ava_photos": "pairs",
    "emotion_bias": "pairs",
    "critical_comparison": "pairs",
    "lapis_art": "paintings",
    "counterfactual": "pairs",
}
LAW = {
    "pair_id": Value("string"),
    "index": Value("int64"),
    "model": Value("string"),
    "prompt_original": Value("string"),
    "prompt_distorted": Value("string"),
    "dimensions": List(Value("string")),
    "label": Value("int8"),
    "label_source": Value("string"),
}


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    """What each script reads: its options of the command line."""
    folder = tmp_path_factory.mktemp("sources")
    author_tables.dataset(author_tables.benchmark_rows()).to_parquet(folder / "wide.parquet")
    author_tables.dataset(author_tables.emotion_rows()).to_parquet(folder / "faces.parquet")
    topics = ("anti-war", "censorship")
    compared = [
        {
            "prompt": f"a grim picture, number {i}",
            "topic": topics[i % 2],
            "index": i,
            "dance_flux": author_tables.embedded(2 * i),
            "flux_krea": author_tables.embedded(2 * i + 1),
        }
        for i in range(4)
    ]
    author_tables.dataset(compared).to_parquet(folder / "compared.parquet")
    made = run(folder / "flux_krea", prompts())
    return {
        "wide_spectrum": ["--source", folder / "wide.parquet", "--source", made],
        "ava_photos": ["--source", photo_sources.ava_source(folder / "ava"), "--with-images"],
        "emotion_bias": ["--source", folder / "faces.parquet"],
        "critical_comparison": ["--source", folder / "compared.parquet"],
        "lapis_art": ["--source", photo_sources.lapis_source(folder / "lapis"), "--with-images"],
        "counterfactual": ["--scenes", "coffee", "--effects", "richness", "--size", "320"],
    }


@pytest.fixture(scope="module")
def published(sources, tmp_path_factory):
    """Name -> the set's main configuration, as `load_dataset` gives it."""
    folder = tmp_path_factory.mktemp("builds")
    found = {}
    for name, config in SETS.items():
        done = scripts.call(name, *sources[name], "--dry-run", folder / name)
        assert (folder / name / "README.md").is_file(), done.stderr
        found[name] = load_dataset(str(folder / name), config, split="test")
    return found


@pytest.fixture(scope="module")
def metrics(tmp_path_factory):
    cache = str(tmp_path_factory.mktemp("metrics"))
    names = ("aas_preference", "aas_override")
    return [evaluate.load(metric_path(name), cache_dir=cache) for name in names]


@pytest.mark.parametrize("name", SETS)
def test_a_column_is_of_one_type_in_every_set(name, published):
    features = published[name].features
    there = set(LAW) & set(features)
    assert {n: features[n] for n in there} == {n: LAW[n] for n in there}
    assert {"pair_id", "index", "model"} <= there
    if name != "lapis_art":
        assert {"dimensions", "label", "prompt_distorted"} <= there
    scores = [n for n in features if n.endswith(("_oiop", "_oidp", "_diop", "_didp", "_sigma"))]
    assert all(features[n] == Value("float64") for n in scores)
    assert all(features[n] == Value("int8") for n in features if n.endswith("_selected"))
    plain = [getattr(f, "feature", f) for f in features.values()]
    assert not any(isinstance(f, ClassLabel) for f in plain)


def test_every_set_goes_with_every_other(published):
    for a in published.values():
        for b in published.values():
            both = concatenate_datasets([a, b])
            assert both["pair_id"][:] == a["pair_id"][:] + b["pair_id"][:]
    whole = concatenate_datasets(list(published.values()))
    assert len(whole) == sum(map(len, published.values())) > 40
    assert set(whole.to_pandas()["label"].dropna()) == {-1, 0, 1}


@pytest.mark.parametrize("name", SETS)
def test_every_set_goes_into_both_metrics(name, published, metrics):
    data = published[name]
    scores = np.random.default_rng(3).normal(size=(len(data), 4)).round(2)
    paired = "label" in data.features
    labels = np.array(data["label"][:] if paired else [1] * len(data))
    asked = [set(row) for row in data["dimensions"]] if paired else [{s} for s in data["style"]]
    given = {
        "references": data["label"] if paired else labels,
        "groups": data["dimensions"] if paired else data["style"],
        "clusters": data["index"],
    }
    preference, override = (m.compute(predictions=scores, **given) for m in metrics)
    chosen, known = scores[:, 3] > scores[:, 1], labels >= 0
    if known.any():
        assert preference["accuracy"] == pytest.approx(np.mean(chosen[known] == labels[known]))
    assert preference["n"] == known.sum()
    assert preference["n_label_ties"] == (labels == -1).sum()
    assert set(preference["by_group"]) == set(override["by_group"]) == set().union(*asked)
    assert set(override["by_label"]) == set(map(str, labels))
    for group, result in preference["by_group"].items():
        assert result["n"] == sum(group in row for row, k in zip(asked, known, strict=True) if k)


@pytest.mark.parametrize("name", SETS)
def test_every_set_goes_into_torch_pandas_and_polars(name, published):
    data = published[name]
    paired = "label" in data.features
    expected = data["index"][:]
    columns = ["index", *(["label"] if paired else [])]
    loader = torch.utils.data.DataLoader(data.select_columns(columns).with_format("torch"))
    assert [int(row["index"]) for row in loader] == expected
    frame, polars = data.to_pandas(), data.to_polars()
    assert frame["index"].tolist() == polars["index"].to_list() == expected
    if paired:
        labels, asked = data["label"][:], data["dimensions"][:]
        assert [int(row["label"]) for row in loader] == labels
        assert frame["label"].tolist() == polars["label"].to_list() == labels
        assert [list(row) for row in frame["dimensions"]] == asked
        assert polars["dimensions"].to_list() == asked
        assert polars["label"].dtype == pl.Int8


OLD = Features(
    pair_id=Value("string"),
    label=ClassLabel(names=["original", "distorted", "tie"]),
    dimensions=List(ClassLabel(names=["clarity", "emotion"])),
    mine_oidp=Value("float64"),
    mine_didp=Value("float64"),
)


@pytest.fixture
def old_build():
    """What sets were published as before the law: the tie is class 2."""
    rows = [
        {"pair_id": str(i), "label": label, "dimensions": [i % 2], "mine_oidp": 0.5, "mine_didp": d}
        for i, (label, d) in enumerate([(1, 0.9), (0, 0.1), (2, 0.7), (1, 0.2), (-1, 0.3)])
    ]
    return Dataset.from_list(rows, features=OLD)


def columns_of(data):
    """The same columns as several libraries hold them."""
    yield {"references": data["label"], "groups": data["dimensions"]}
    torch_like = data.with_format("torch")
    yield {"references": torch_like["label"], "groups": torch_like["dimensions"]}
    stream = data.to_iterable_dataset()
    yield {"references": stream["label"], "groups": stream["dimensions"]}


def test_builds_from_before_the_law_are_read_by_name(old_build, metrics, tmp_path):
    scores = np.stack([old_build["mine_oidp"][:], old_build["mine_didp"][:]], axis=1)
    for given in columns_of(old_build):
        result = metrics[0].compute(predictions=scores, **given)
        assert (result["n"], result["n_label_ties"], result["accuracy"]) == (3, 2, 2 / 3)
        assert set(result["by_group"]) == {"clarity", "emotion"}
    old_build.select(range(4)).to_parquet(tmp_path / "old.parquet")
    table = load_scores(tmp_path / "old.parquet")
    assert table.label.tolist() == [1, 0, -1, 1]
    assert table.frame["dimensions"].tolist() == [["clarity"], ["emotion"]] * 2
    images = [author_tables.embedded(i) for i in range(4)]
    pairs = old_build.select(range(4)).add_column("prompt_distorted", list("abcd"))
    for column in ("image_original", "image_distorted"):
        pairs = pairs.add_column(column, images)
    assert load_pairs(pairs)["label"][:] == [1, 0, -1, 1]


@pytest.mark.parametrize("frame", ["pandas", "polars", "torch", "arrow", "lists"])
def test_columns_of_any_library_are_read_alike(frame, metrics):
    scores, labels = [[0.1, 0.4], [0.5, 0.2], [0.3, 0.9], [0.6, 0.1]], [1, 0, -1, 1]
    asked = [["blur"], ["blur", "grain"], ["grain"], ["blur"]]
    data = Dataset.from_dict({"a": [s[0] for s in scores], "b": [s[1] for s in scores]})
    data = data.add_column("label", labels).add_column("asked", asked)
    if frame in ("pandas", "polars"):
        whole = getattr(data, f"to_{frame}")()
        given = {"predictions": whole[["a", "b"]], "references": whole["label"]}
        given["groups"] = whole["asked"]
    elif frame == "torch":
        given = {"predictions": torch.tensor(scores), "references": torch.tensor(labels)}
        given["groups"] = asked
    elif frame == "arrow":
        table = data.data.table
        given = {"predictions": scores, "references": table["label"], "groups": table["asked"]}
    else:
        names = ["distorted", "original", "tie", "distorted"]
        given = {"predictions": scores, "references": names, "groups": asked}
    result = metrics[0].compute(**given)
    assert (result["n"], result["accuracy"]) == (3, pytest.approx(2 / 3))
    assert {name: r["n"] for name, r in result["by_group"].items()} == {"blur": 3, "grain": 1}


def test_a_name_that_is_no_label_is_refused(metrics):
    with pytest.raises(InputError, match="'cat' is not 1, 0 or -1"):
        metrics[0].compute(predictions=[0.5, 0.25], references=["distorted", "cat"])


@pytest.mark.parametrize(
    ("name", "source"),
    [("ava_photos", photo_sources.ava_source), ("lapis_art", photo_sources.lapis_source)],
)
def test_sources_in_the_layout_of_the_hubs_cache_are_built_alike(name, source, tmp_path):
    folder = source(tmp_path / "source")
    sources = {"plain": folder, "links": linked(folder, tmp_path)}
    for out, each in sources.items():
        done = scripts.call(name, "--source", each, "--with-images", "--dry-run", tmp_path / out)
        assert done.returncode == 0, done.stderr
    rows, same = (scripts.rows(tmp_path / out, SETS[name]) for out in sources)
    assert len(rows) == 3
    assert rows == same
    assert scripts.notes(tmp_path / "links") == []
