"""The dataset card: README.md of a build folder."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from aas_bench.data.atomic import write_atomically
from aas_bench.hub.builder import BenchBuilder

if TYPE_CHECKING:
    from aas_bench.hub.build import Build


def write_card(built: Build, builders: Sequence[BenchBuilder]) -> None:
    """Write README.md from the files that were built."""
    from huggingface_hub import DatasetCardData

    first = built.configs[0].name
    data = DatasetCardData(
        configs=[
            {
                "config_name": config.name,
                "data_files": [{"split": "test", "path": f"{config.name}/test-*"}],
                **({"default": True} if config.name == first else {}),
            }
            for config in built.configs
        ],
        dataset_info=[_info(built, builder) for builder in builders],
    )
    text = f"---\n{data.to_yaml()}\n---\n\n# {built.task.hub_id}\n"
    write_atomically(built.path / "README.md", text.encode())


def _info(built: Build, builder: BenchBuilder) -> dict[str, Any]:
    config = next(c for c in built.configs if c.name == builder.config.name)
    size = sum((built.path / file).stat().st_size for file in config.files)
    return {
        "config_name": config.name,
        "features": builder.info.features._to_yaml_list(),
        "splits": [{"name": "test", "num_bytes": size, "num_examples": config.n_rows}],
        "download_size": size,
        "dataset_size": size,
    }
