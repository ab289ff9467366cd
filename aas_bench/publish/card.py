"""The dataset card: README.md, LICENSE, the picture grid and croissant.json of a build folder.

What is said of one dataset stands in `tasks/cards/<task>.md`: front matter (metadata, a sentence
for every column, what Croissant's RAI vocabulary asks) and blocks of `base.md` beside this file.
Figures come from the Parquet files. Text from data is printed through `markdown.inline`, always.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import yaml

from aas_bench.errors import SchemaError
from aas_bench.files import json_bytes, write_atomically
from aas_bench.publish import grid
from aas_bench.publish.builder import BenchBuilder
from aas_bench.publish.built import Build, ConfigBuild
from aas_bench.publish.card_results import Results, results
from aas_bench.publish.columns import description, type_in_words
from aas_bench.publish.croissant import croissant
from aas_bench.publish.grid import Grid
from aas_bench.publish.markdown import Safe, code, rendered
from aas_bench.publish.statistics import Statistics, small_columns, statistics
from aas_bench.publish.wheel import NAME as WHEEL
from aas_bench.tables.schema import IMAGE_COLUMNS
from aas_bench.tasks.task import Task

if TYPE_CHECKING:
    import jinja2
    import pandas as pd

HUB: Final = "https://huggingface.co"
README: Final = "README.md"
LICENSE: Final = "LICENSE"
CROISSANT: Final = "croissant.json"
_SEAL: Final = re.compile(
    r"<!-- Made by aas-bench for (\w+) from the data; sha256 of all above: ([0-9a-f]{64}) -->\s*\Z"
)
_KEYS: Final = (
    "language",
    "license",
    "license_name",
    "license_link",
    "task_categories",
    "annotations_creators",
    "source_datasets",
    "pretty_name",
)
BADGES: Final = {
    "paper-arXiv 2512.11883-b31b1b": "https://arxiv.org/abs/2512.11883",
    "code-in its Space-555555": f"{HUB}/spaces/weathon/aas_bench_leaderboard/tree/main",
    "leaderboard-open-2e7d6b": f"{HUB}/spaces/weathon/aas_bench_leaderboard",
}
"""Text and colour as img.shields.io takes them -> where it leads."""
_TAGS: Final = ("aas-bench", "benchmark")
_BASE: Final = Path(__file__).with_name("base.md")


@dataclass(frozen=True, kw_only=True)
class _Column:
    """One line of the column table."""

    code: Safe
    type: str
    meaning: Safe


@dataclass(frozen=True, kw_only=True)
class _Config:
    """What the template says of a configuration."""

    name: Safe
    code: Safe
    summary: Safe
    told: tuple[Safe, ...]
    columns: tuple[_Column, ...]
    statistics: Statistics
    results: Results | None
    origins: tuple[str, ...]
    n_known: int
    n_items: int
    n_faults: int
    n_files: int
    size: Safe


def write_card(built: Build, builders: Sequence[BenchBuilder]) -> None:
    """Write the files that describe a build into its folder.

    Raises:
        SchemaError: There is no card, or it lacks the sentence for a column or a configuration;
            all of them are named.
    """
    front = _front_matter(built.task)
    tables = [
        small_columns([built.path / file for file in config.files], builder.info.features)
        for config, builder in zip(built.configs, builders, strict=True)
    ]
    configs = _configs(built, builders, tables, front)
    facts = {
        name: value
        for builder, rows in zip(builders, tables, strict=True)
        for name, value in builder.facts(rows).items()
    }
    context: dict[str, Any] = {
        "facts": facts,
        "task": Safe(built.task.name),
        "hub_id": Safe(built.repo),
        "configs": configs,
        "names": [str(config.name) for config in configs],
        "columns": {name for builder in builders for name in builder.info.features},
        "badges": {Safe(quote(text)): Safe(link) for text, link in BADGES.items()},
        "wheel": Safe(f"{HUB}/spaces/weathon/aas_preference/resolve/main/{WHEEL}"),
        "grid": _write_grid(built, builders, front),
        "grid_alt": Safe(f"Examples of {front['pretty_name']}"),
    }
    environment = _environment(built.task)
    front["rai"] = {
        key: " ".join(environment.from_string(text).render(context).split())
        for key, text in (front.get("rai") or {}).items()
    }
    context["front"] = _own(front)
    body = environment.get_template(f"{built.task.name}.md").render(context)
    _write(built, README, _card(built, builders, front, configs, _tidy(body)))
    if (built.task.cards / f"{built.task.name}.{LICENSE}").is_file():
        text = environment.get_template(f"{built.task.name}.{LICENSE}")
        plain = text.environment.overlay(finalize=None).get_template(text.name or "")
        _write(built, LICENSE, _tidy(plain.render(context)))
    write_atomically(built.path / CROISSANT, json_bytes(croissant(built, front)))


def is_untouched(readme: str) -> bool:
    """Whether a README.md is as `write_card` made it: nobody edited it since."""
    seal = _SEAL.search(readme)
    return seal is not None and seal[2] == _digest(readme[: seal.start()])


def made_for(readme: str) -> str | None:
    """The task that a README.md was made for, edited since or not."""
    seal = _SEAL.search(readme)
    return None if seal is None else seal[1]


def without_seal(readme: str) -> str:
    """All but the last line, by which `is_untouched` knows it."""
    return _SEAL.sub("", readme)


def sealed(text: str, task: str) -> str:
    """The text with a last line by which `is_untouched` knows it."""
    above = f"sha256 of all above: {_digest(text)}"
    return f"{text}<!-- Made by aas-bench for {task} from the data; {above} -->\n"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _write(built: Build, name: str, text: str) -> None:
    write_atomically(built.path / name, text.encode())


def _front_matter(task: Task) -> dict[str, Any]:
    file = task.cards / f"{task.name}.md"
    if not file.is_file():
        msg = f"there is no card {file}. Write it as docs/publish-a-dataset.md says."
        raise SchemaError(msg)
    front: dict[str, Any] = yaml.safe_load(file.read_text(encoding="utf-8").split("---\n", 2)[1])
    return front


def _own(value: Any) -> Any:
    """Front matter is written by us, as Markdown."""
    if isinstance(value, dict):
        return {key: _own(inner) for key, inner in value.items()}
    return Safe(value) if isinstance(value, str) else value


def _environment(task: Task) -> jinja2.Environment:
    import jinja2

    def source(name: str) -> str | None:
        """The body of a template, without front matter."""
        file = (_BASE.parent if name == _BASE.name else task.cards) / name
        if not file.is_file():
            return None
        text = file.read_text(encoding="utf-8")
        return text.split("---\n", 2)[2] if text.startswith("---\n") else text

    environment = jinja2.Environment(  # noqa: S701 - `rendered` escapes for Markdown and HTML
        loader=jinja2.FunctionLoader(source),
        finalize=rendered,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"code": code, "figure": figure}
    return environment


def figure(value: float | None) -> Safe:
    """A number in at most four figures; a dash where it is undefined."""
    return Safe("–" if value is None else f"{value:,.4g}" if abs(value) < 1e4 else f"{value:,.0f}")


def size_in_words(n_bytes: int) -> Safe:
    """A size in the unit that suits it."""
    return Safe(f"{n_bytes / 1e6:,.1f} MB" if n_bytes >= 1e6 else f"{n_bytes / 1e3:,.0f} kB")


def _tidy(text: str) -> str:
    """At most one empty line in a row, none at the ends."""
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


def _configs(
    built: Build,
    builders: Sequence[BenchBuilder],
    tables: Sequence[pd.DataFrame],
    front: Mapping[str, Any],
) -> list[_Config]:
    lacking: list[str] = []
    configs = [
        _config(built, config, builder, rows, front, lacking)
        for config, builder, rows in zip(built.configs, builders, tables, strict=True)
    ]
    if lacking:
        msg = (
            f"tasks/cards/{built.task.name}.md says nothing of {', '.join(lacking)}. "
            "Add a sentence for each under columns: or configs:."
        )
        raise SchemaError(msg)
    return configs


def _config(
    built: Build,
    config: ConfigBuild,
    builder: BenchBuilder,
    rows: pd.DataFrame,
    front: Mapping[str, Any],
    lacking: list[str],
) -> _Config:
    features, own = builder.info.features, front.get("columns") or {}
    meanings = {name: description(name, own) for name in features}
    lacking += [f"column {name} of {config.name}" for name, text in meanings.items() if not text]
    summary = (front.get("configs") or {}).get(config.name)
    lacking += [] if summary else [f"configuration {config.name}"]
    found = statistics([built.path / file for file in config.files], rows)
    shown = [name for name in front.get("shown") or () if name in features]
    told = shown or [name for name in features if name not in IMAGE_COLUMNS][:2]
    return _Config(
        name=Safe(config.name),
        code=code(config.name),
        summary=Safe(summary or ""),
        told=tuple(Safe(name) for name in told),
        columns=tuple(
            _Column(code=code(n), type=type_in_words(features[n]), meaning=Safe(text or ""))
            for n, text in meanings.items()
        ),
        statistics=found,
        results=results(rows, built.task),
        origins=tuple(builder.origins()),
        n_known=config.n_known,
        n_items=config.n_items,
        n_faults=config.n_faults,
        n_files=len(config.files),
        size=size_in_words(found.n_file_bytes),
    )


def _write_grid(
    built: Build, builders: Sequence[BenchBuilder], front: Mapping[str, Any]
) -> Grid | None:
    """Draw the grid of the first configuration that has images and may show them."""
    chosen = front.get("grid", {})
    target = built.path / grid.FILE
    for config, builder in zip(built.configs, builders, strict=True):
        if chosen is False:
            break
        paths = [built.path / file for file in config.files]
        drawn = grid.picture_grid(paths, builder.info.features, where=chosen.get("where"))
        if drawn is not None:
            target.parent.mkdir(exist_ok=True)
            write_atomically(target, drawn.jpeg)
            return drawn
    return None


def _card(
    built: Build,
    builders: Sequence[BenchBuilder],
    front: Mapping[str, Any],
    configs: Sequence[_Config],
    body: str,
) -> str:
    from huggingface_hub import DatasetCard, DatasetCardData

    n_rows = sum(config.statistics.n_rows for config in configs)
    data = DatasetCardData(
        **{key: front[key] for key in _KEYS if key in front},
        size_categories=[size_category(n_rows)],
        tags=[*_TAGS, *front.get("tags", [])],
        configs=[
            {
                "config_name": config.name,
                "data_files": [{"split": "test", "path": f"{config.name}/test-*"}],
                **({"default": True} if number == 0 else {}),
            }
            for number, config in enumerate(built.configs)
        ],
        dataset_info=[
            _info(config, builder) for config, builder in zip(configs, builders, strict=True)
        ],
    )
    card = DatasetCard(f"---\n{data.to_yaml()}\n---\n\n{body}")
    return sealed(f"{str(card).rstrip()}\n\n", built.task.name)


def _info(config: _Config, builder: BenchBuilder) -> dict[str, Any]:
    found = config.statistics
    split = {"name": "test", "num_bytes": found.n_bytes, "num_examples": found.n_rows}
    return {
        "config_name": str(config.name),
        "features": builder.info.features._to_yaml_list(),
        "splits": [split],
        "download_size": found.n_file_bytes,
        "dataset_size": found.n_bytes,
    }


def size_category(n_rows: int) -> str:
    """The Hub's word for a number of rows."""
    names = ("n<1K", "1K<n<10K", "10K<n<100K", "100K<n<1M", "1M<n<10M")
    bounds = (1_000, 10_000, 100_000, 1_000_000)
    return names[sum(n_rows >= bound for bound in bounds)]
