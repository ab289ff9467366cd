"""A finished build folder, as the card, Croissant and a push read it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from aas_bench.publish.shards import Note
from aas_bench.tasks.task import Task

if TYPE_CHECKING:
    from datasets import Features

STATE: Final = ".build"
"""The folder inside a build that says how far it is; never pushed."""
FAULTS: Final = "faults.jsonl"


@dataclass(frozen=True, kw_only=True)
class ConfigBuild:
    """One configuration as it was built.

    Attributes:
        name: The configuration, and the folder of its files.
        files: Its Parquet files, relative to the folder of the build.
        n_known: Items that the builder named.
        n_items: Those that were to be built: the first ones where there was a limit.
        n_rows: Rows written.
        features: The columns.
        notes: Faults and flags in the order of the items.
    """

    name: str
    files: tuple[str, ...]
    n_known: int
    n_items: int
    n_rows: int
    features: Features
    notes: tuple[Note, ...]

    @property
    def n_faults(self) -> int:
        """Items left out."""
        return sum(note.kind == "fault" for note in self.notes)

    @property
    def n_flags(self) -> int:
        """Flags on rows that are there."""
        return len(self.notes) - self.n_faults


@dataclass(frozen=True, kw_only=True)
class Build:
    """A finished build folder.

    Attributes:
        path: The folder.
        task: What it is a build of.
        configs: Its configurations, the default first.
        repo: The repository that its card is about, owner/name.
    """

    path: Path
    task: Task
    configs: tuple[ConfigBuild, ...]
    repo: str

    @property
    def n_faults(self) -> int:
        """Items left out of any configuration."""
        return sum(config.n_faults for config in self.configs)

    @property
    def faults_file(self) -> Path:
        """Where faults and flags are listed."""
        return self.path / STATE / FAULTS
