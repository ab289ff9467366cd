"""The card says what the files hold, and nothing in the data can break it."""

import importlib.util
import io
import json

import datasets
import numpy as np
import pandas as pd
import pytest
from datasets import Features
from huggingface_hub import DatasetCard
from PIL import Image, ImageColor
from support.toy_builder import Toy

from aas_bench.errors import SchemaError
from aas_bench.publish import card as card_module
from aas_bench.publish.build import build
from aas_bench.publish.card import is_untouched, made_for, sealed, size_category, without_seal
from aas_bench.publish.card_results import results
from aas_bench.publish.croissant import CONFORMS_TO, RAI_KEYS, croissant, versioned
from aas_bench.publish.grid import CELL, FRAME, TEAL, picture_grid
from aas_bench.publish.push import publish
from aas_bench.publish.sync import Target
from aas_bench.tasks.catalog import TASKS


def made(folder, **options):
    return build([Toy(**options)], folder, progress=False)


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    return made(tmp_path_factory.mktemp("card") / "out", n=12, score=True)


@pytest.fixture(scope="module")
def text(toy):
    return (toy.path / "README.md").read_text()


def test_the_metadata_is_read_by_the_hubs_own_class(toy, text):
    data = DatasetCard(text).data
    assert data.license == "other"
    assert data.license_link == "LICENSE"
    assert (toy.path / "LICENSE").read_text().startswith("AAS counterfactual: photographs")
    assert data.size_categories == ["n<1K"]
    assert data.configs == [
        {
            "config_name": "pairs",
            "data_files": [{"split": "test", "path": "pairs/test-*"}],
            "default": True,
        }
    ]
    (info,) = data.dataset_info
    assert Features._from_yaml_list(info["features"]) == toy.configs[0].features
    assert info["splits"][0]["num_examples"] == 12


def test_every_column_has_a_line(toy, text):
    table = text.split("## Columns")[1].split("## Statistics")[0]
    lines = {line.split("|")[1].strip(): line for line in table.splitlines() if "| `" in line}
    assert list(lines) == [f"`{name}`" for name in toy.configs[0].features]
    assert all(
        line.count("|") == 4 and len(line.split("|")[3].strip()) > 8 for line in lines.values()
    )


def test_a_column_without_a_sentence_is_refused(tmp_path):
    class Odd(Toy):
        def _info(self):
            info = super()._info()
            return datasets.DatasetInfo(
                features=datasets.Features({**info.features, "odd": datasets.Value("string")})
            )

    with pytest.raises(SchemaError, match=r"says nothing of column odd of pairs. Add a sentence"):
        build([Odd()], tmp_path, progress=False)


def test_the_figures_are_those_of_the_rows(text):
    figures = text.split("## Statistics")[1]
    assert "### `pairs`: 12 rows" in figures
    assert "6 clusters (`index`),\n3 Parquet files," in figures
    assert "| `label` | -1 | 4 |" in figures
    assert "| `dimensions` | emotion | 6 |" in figures or "|  | emotion | 6 |" in figures
    # 0, 0.5, ... 5.5: mean 2.75, sd sqrt(143/48) = 1.803, quartiles by linear interpolation
    assert "| `polish_didp` | 12 | 0 | 2.75 | 1.803 | 0 | 1.375 | 2.75 | 4.125 | 5.5 |" in figures


NASTY = "<script>alert({0})</script> a | b\n\n## c `d` [e](http://f) <!-- g"


def test_nothing_in_the_data_acts_in_the_card(tmp_path):
    built = made(tmp_path / "nasty", prompt=NASTY)
    tame = made(tmp_path / "tame", prompt="tame")
    nasty_text, tame_text = ((b.path / "README.md").read_text() for b in (built, tame))
    assert "<script" not in nasty_text
    assert "&lt;script&gt;" in nasty_text
    assert nasty_text.count("<!--") == 1, "our own seal"
    headings = [line for line in nasty_text.splitlines() if line.startswith("#")]
    assert headings == [line for line in tame_text.splitlines() if line.startswith("#")]
    assert DatasetCard(nasty_text).data.pretty_name == DatasetCard(tame_text).data.pretty_name


def test_a_renderer_shows_the_prompt_as_text(tmp_path):
    markdown_it = pytest.importorskip("markdown_it")
    built = made(tmp_path / "nasty", prompt=NASTY)
    body = DatasetCard((built.path / "README.md").read_text()).text
    shown = markdown_it.MarkdownIt("gfm-like", {"html": True, "linkify": False}).render(body)
    assert "<script" not in shown
    assert 'href="http://f"' not in shown
    assert shown.count("<h2>") == 7, "its own headings, none of the prompt's"


def test_the_seal():
    text = sealed("---\nlicense: mit\n---\n\n# A\n\n", "lapis_art")
    assert is_untouched(text)
    assert made_for(text) == "lapis_art"
    assert without_seal(text) == "---\nlicense: mit\n---\n\n# A\n\n"
    for edited in (text.replace("# A", "# B"), "# A\n", "", text + "more"):
        assert not is_untouched(edited)
    assert made_for(text.replace("# A", "# B")) == "lapis_art"
    assert made_for("# A\n") is None


@pytest.mark.parametrize(
    ("n", "category"),
    [(0, "n<1K"), (999, "n<1K"), (1000, "1K<n<10K"), (10_000, "10K<n<100K"), (10**6, "1M<n<10M")],
)
def test_size_categories(n, category):
    assert size_category(n) == category


def test_the_grid_shows_both_images_what_was_asked_for_framed(toy, tmp_path):
    files = [toy.path / name for name in toy.configs[0].files]
    grid = picture_grid(files, toy.configs[0].features)
    assert grid.pairs
    assert grid.prompts == tuple(f"a {n} prompt" for n in (0, 2, 4, 7, 9, 11))
    sheet = Image.open(io.BytesIO(grid.jpeg))
    top = sheet.crop((0, 0, sheet.width, sheet.height // 2))
    near = [
        n
        for n, pixel in enumerate(np.asarray(top).reshape(-1, 3).tolist())
        if all(abs(a - b) < 20 for a, b in zip(pixel, ImageColor.getrgb(TEAL), strict=True))
    ]
    columns = {n % sheet.width for n in near}
    assert columns, "there is a frame"
    left_halves = [
        range(28 + i * (2 * CELL + 36), 28 + i * (2 * CELL + 36) + CELL) for i in range(3)
    ]
    assert not any(c in half for c in columns for half in left_halves), "I_o has none"
    assert FRAME < 6
    assert (toy.path / "assets" / "grid.jpg").read_bytes() == grid.jpeg


def test_without_images_there_is_no_grid(tmp_path):
    class Metadata(Toy):
        def rows(self, item):
            for row in super().rows(item):
                yield row | {"image_original": None, "image_distorted": None}

    built = build([Metadata()], tmp_path, progress=False)
    assert not (built.path / "assets").exists()
    assert "assets/grid.jpg" not in (built.path / "README.md").read_text()


def test_a_card_may_forbid_the_grid(tmp_path, monkeypatch):
    front = card_module._front_matter

    def forbidding(task):
        return front(task) | {"grid": False}

    monkeypatch.setattr(card_module, "_front_matter", forbidding)
    assert not (made(tmp_path).path / "assets").exists()


def test_croissant_adds_what_the_hub_lacks(toy):
    said = json.loads((toy.path / "croissant.json").read_text())
    assert said["conformsTo"] == list(CONFORMS_TO)
    assert {f"rai:{key}" for key in RAI_KEYS} <= set(said)
    assert [f["name"] for f in said["distribution"]] == list(toy.configs[0].files)
    assert all(len(f["sha256"]) == 64 for f in said["distribution"])


@pytest.mark.parametrize("version", [None, "v3"])
def test_croissant_is_valid(toy, version):
    mlcroissant = pytest.importorskip("mlcroissant")
    said = versioned((toy.path / "croissant.json").read_bytes(), version)
    metadata = mlcroissant.Dataset(jsonld=json.loads(said)).metadata
    assert list(metadata.ctx.issues.errors) == []
    assert metadata.version == (None if version is None else "3.0.0")
    licence = "https://huggingface.co/datasets/weathon/aas_counterfactual/blob/main/LICENSE"
    assert metadata.license == [licence]


def test_a_licence_elsewhere_is_linked_as_it_is(toy):
    front = {"pretty_name": "x", "configs": {"pairs": "y"}}
    for given, link in (
        ({"license_link": "https://example.org/terms"}, "https://example.org/terms"),
        ({"license": "cc0-1.0"}, "https://spdx.org/licenses/CC0-1.0.html"),
    ):
        assert croissant(toy, front | given)["license"] == [link]


def test_results_are_those_of_the_rows(tmp_path):
    rows = pd.DataFrame(
        {
            "model": ["a", "a", "a", "b"],
            "index": [0, 1, 2, 0],
            "label": ["distorted", "distorted", "original", "tie"],
            "r_oidp": [1.0, 2.0, 3.0, 1.0],
            "r_didp": [2.0, 1.0, 2.0, 5.0],
            "unscored_didp": [None] * 4,
        }
    )
    found = results(rows, TASKS["wide_spectrum"])
    assert found.rewards == ("r",)
    # right on the first and third pair of a; Wilson's interval of 2 in 3 is 20.8 to 93.9
    assert found.lines["a"] == ("66.7\u202f% (20.8 to 93.9), n = 3",)
    assert found.lines["b"] == ("–",), "a tie is no right or wrong"
    assert found.moved == {}, "without scores under the original prompt"
    assert results(rows[["model", "index"]], TASKS["wide_spectrum"]) is None


HUB_FOR_DUCKDB = """
import datetime, duckdb
from huggingface_hub import HfFileSystem

class Hub(HfFileSystem):
    def modified(self, path):  # which DuckDB asks for, and this file system lacks
        return datetime.datetime.now()

duckdb.register_filesystem(Hub())
"""


def test_the_lines_of_the_card_run(loopback_hub, monkeypatch, tmp_path):
    loopback_hub.patch(monkeypatch)
    built = made(tmp_path / "out")
    publish(built, Target(repo=built.task.hub_id))
    blocks = (built.path / "README.md").read_text().split("```python\n")[1:]
    lines = {b.split()[1]: b.split("```")[0] for b in blocks}
    assert set(lines) == {"datasets", "polars", "duckdb"}
    assert "a 0 prompt" in loopback_hub.run_python(lines["datasets"])
    # Polars knows no Hub but the public one: the same line on the same files.
    here = lines["polars"].replace(f"hf://datasets/{built.task.hub_id}", str(built.path))
    if importlib.util.find_spec("polars") is not None:
        assert "a 0 prompt" in loopback_hub.run_python(here)
    # DuckDB neither: it is given the Hub's own file system for hf://.
    if importlib.util.find_spec("duckdb") is not None:
        assert "a 0 prompt" in loopback_hub.run_python(HUB_FOR_DUCKDB + lines["duckdb"])


def test_a_limit_is_told(tmp_path):
    built = build([Toy(n=12)], tmp_path, limit=5, progress=False)
    assert "- `pairs`, only the first 5 of 12 items of the source." in (
        (built.path / "README.md").read_text()
    )
