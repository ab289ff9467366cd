"""Publish a small build to the loopback Hub and read it back with the real clients.

build = round_trip(loopback_hub, [Builder(config_name="pairs", ...)], tmp_path / "build")
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from support.loopback_hub import LoopbackHub

from aas_bench.publish.build import build
from aas_bench.publish.builder import BadItem, BenchBuilder
from aas_bench.publish.built import Build
from aas_bench.publish.changes import Allowed
from aas_bench.publish.push import publish
from aas_bench.publish.sync import Target

READ = """
import hashlib, json, sys
from datasets import Image, Features, load_dataset
from huggingface_hub import DatasetCard

def plain(value):
    if isinstance(value, dict) and set(value) == {"bytes", "path"}:
        return [hashlib.sha256(value["bytes"]).hexdigest(), value["path"]]
    if isinstance(value, dict):
        return {key: plain(inner) for key, inner in value.items()}
    return [plain(inner) for inner in value] if isinstance(value, list) else value

def undecoded(rows):
    for name, feature in rows.features.items():
        if isinstance(feature, Image):
            rows = rows.cast_column(name, Image(decode=False))
    return rows

source, configs, card = sys.argv[1], json.loads(sys.argv[2]), sys.argv[3] == "card"
found = {}
for name in configs:
    table = load_dataset(source, name, split="test")
    stream = load_dataset(source, name, split="test", streaming=True)
    if len(table):  # decoding works
        table[0], next(iter(stream))
    found[name] = {
        "features": repr(sorted(table.features.items())),
        "rows": [plain(row) for row in undecoded(table)],
        "streamed": [plain(row) for row in undecoded(stream)],
    }
default = load_dataset(source, split="test")
result = {"configs": found, "n_default": len(default)}
if card:
    card = DatasetCard.load(source)
    result["pretty_name"], result["names"] = card.data.pretty_name, [
        info["config_name"] for info in card.data.dataset_info
    ]
print(json.dumps(result))
"""


def round_trip(
    hub: LoopbackHub,
    builders: Sequence[BenchBuilder],
    out: Path,
    *,
    limit: int | None = None,
    monkeypatch: Any,
) -> Build:
    """Build, publish to `TASK.hub_id`, load plain and streamed, from the Hub and from the folder.

    Every configuration must come back as `rows` made it: the same features, values, order and
    image bytes. The card must load, and the example in it must run.
    """
    built = build(builders, out, limit=limit, progress=False)
    hub.patch(monkeypatch)
    published = publish(built, Target(repo=built.task.hub_id), allowed=Allowed(faults=True))
    assert published.url is not None
    assert not any(name.startswith(".build") for name in hub.files(built.task.hub_id))
    names = json.dumps([config.name for config in built.configs])
    there = json.loads(hub.run_python(READ, built.task.hub_id, names, "card"))
    here = json.loads(hub.run_python(READ, str(out), names, "no card"))
    assert there["names"] == [config.name for config in built.configs]
    assert there["pretty_name"]
    for config, builder in zip(built.configs, builders, strict=True):
        expected = _expected(builder, limit)
        for read in (there["configs"][config.name], here["configs"][config.name]):
            assert read["features"] == repr(sorted(builder.info.features.items()))
            assert read["rows"] == expected
            assert read["streamed"] == expected
    assert there["n_default"] == here["n_default"] == built.configs[0].n_rows
    output = hub.run_python(example(built.path / "README.md"))
    assert output.strip(), "the example of the card prints something"
    return built


def example(readme: Path) -> str:
    """The first block of Python in a card."""
    return readme.read_text(encoding="utf-8").split("```python\n")[1].split("```")[0]


def _expected(builder: BenchBuilder, limit: int | None) -> list[Any]:
    """The rows straight from the builder; items at fault are left out."""
    features, rows = builder.info.features, []
    for item in builder.prepared(list(builder.items())[:limit]):
        try:
            rows += [dict(row) for row in builder.rows(item)]
        except BadItem:
            continue
    return [_plain(features, features.encode_example(row)) for row in rows]


def _plain(features: Any, row: dict[str, Any]) -> dict[str, Any]:
    """A row as JSON: images as the hash of their bytes, in the order of the features."""
    from datasets import Image

    cells = {
        name: _image(row[name]) if isinstance(feature, Image) else row[name]
        for name, feature in features.items()
    }
    return json.loads(json.dumps(cells, default=_jsonable))


def _image(cell: dict[str, Any] | None) -> list[str | None] | None:
    if cell is None:
        return None
    content, path = cell["bytes"], cell["path"]
    content = Path(path).read_bytes() if content is None else content
    return [hashlib.sha256(content).hexdigest(), None if path is None else Path(path).name]


def _jsonable(value: Any) -> Any:
    return value.item() if hasattr(value, "item") else list(value)
