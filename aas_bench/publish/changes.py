"""What a push would change for readers, and what of it is refused unless it is named."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aas_bench.errors import InputError, SchemaError
from aas_bench.publish.built import Build
from aas_bench.publish.card import README, made_for
from aas_bench.publish.columns import type_in_words
from aas_bench.publish.markdown import code, inline
from aas_bench.publish.sync import MAIN, Remote, Target

if TYPE_CHECKING:
    from datasets import Features
    from huggingface_hub import HfApi
    from pyarrow.parquet import FileMetaData


@dataclass(frozen=True, kw_only=True)
class Allowed:
    """What a push may do because the maintainer named it.

    Attributes:
        faults: Push a build from which items were left out.
        shrink: Leave a configuration with fewer rows than it has, or with none.
        schema_change: Add, remove or change columns.
    """

    faults: bool = False
    shrink: bool = False
    schema_change: bool = False


@dataclass(frozen=True, kw_only=True)
class Contents:
    """What a dataset repository holds at a commit.

    Attributes:
        readme: Its card; None where there is none.
        features: Of its configurations.
        rows: Their numbers of rows, counted in the Parquet files where there are any.
    """

    readme: str | None
    features: Mapping[str, Features]
    rows: Mapping[str, int]

    @classmethod
    def read(cls, api: HfApi, target: Target, remote: Remote | None) -> Contents:
        """Columns as the card says, else as a file does; rows from the footers of all files.

        Raises:
            SchemaError: A Parquet file cannot be read.
        """
        from datasets import Features

        if remote is None:
            return cls(readme=None, features={}, rows={})
        readme, features, rows = None, {}, {}
        if README in remote.files:
            path = api.hf_hub_download(
                target.repo, README, repo_type="dataset", revision=remote.commit
            )
            readme = Path(path).read_text(encoding="utf-8")
            for info in infos(parsed(readme)):
                name = info.get("config_name", "default")
                features[name] = Features._from_yaml_list(info.get("features") or [])
                rows[name] = sum(split["num_examples"] for split in info.get("splits") or [])
        counted: dict[str, int] = {}
        for name in sorted(remote.files):
            folder = name.partition("/")[0]
            if name.endswith(".parquet"):
                footer = _footer(api, target, remote, name)
                counted[folder] = counted.get(folder, 0) + footer.num_rows
                if folder not in features:
                    features[folder] = Features.from_arrow_schema(footer.schema.to_arrow_schema())
        return cls(readme=readme, features=features, rows={**rows, **counted})


def parsed(readme: str) -> Any:
    """The card as the Hub's client reads it."""
    from huggingface_hub import DatasetCard

    return DatasetCard(readme)


def infos(card: Any) -> list[dict[str, Any]]:
    """What a card says of each configuration."""
    info = card.data.to_dict().get("dataset_info") or []
    return info if isinstance(info, list) else [info]


def _footer(api: HfApi, target: Target, remote: Remote, name: str) -> FileMetaData:
    """Of a Parquet file: the rest is not fetched."""
    import pyarrow as pa
    import pyarrow.parquet as pq
    from huggingface_hub import HfFileSystem

    system = HfFileSystem(endpoint=api.endpoint, token=api.token)
    try:
        with system.open(f"datasets/{target.repo}@{remote.commit}/{name}", "rb") as file:
            return pq.read_metadata(file)
    except pa.ArrowInvalid as error:
        msg = (
            f"{target.repo}: {name} is no Parquet file that can be read, so the rows there cannot "
            "be counted. Mend it or delete it there first."
        )
        raise SchemaError(msg) from error


@dataclass(frozen=True, kw_only=True)
class ColumnChange:
    """A column whose type differs; None: it is not there."""

    name: str
    before: str | None
    now: str | None

    @property
    def fault(self) -> str:
        """What a refusal says of it."""
        if self.now is None:
            return f"{self.name} is only there"
        if self.before is None:
            return f"{self.name} is only here"
        if self.before == self.now:
            return f"{self.name} is {self.before} there and {self.now} here, with other names"
        return f"{self.name} is {self.before} there and {self.now} here"

    def line(self) -> str:
        """What a diff says of it."""
        if self.now is None:
            return f"removed {self.name} ({self.before})"
        if self.before is None:
            return f"added {self.name} ({self.now})"
        names = ", with other names" if self.before == self.now else ""
        return f"changed {self.name} ({self.before} -> {self.now}{names})"

    def escaped(self) -> ColumnChange:
        """The same for Markdown."""
        before, now = (None if said is None else inline(said) for said in (self.before, self.now))
        return ColumnChange(name=code(self.name), before=before, now=now)


@dataclass(frozen=True, kw_only=True)
class ConfigChange:
    """Rows and columns of a configuration, now and before.

    Attributes:
        name: The configuration.
        n_rows: Rows now.
        n_rows_before: Rows before; None: it was not there.
        n_columns: Columns now.
        columns: The columns that differ.
    """

    name: str
    n_rows: int
    n_rows_before: int | None
    n_columns: int
    columns: tuple[ColumnChange, ...]

    def line(self) -> str:
        """What a diff says of it."""
        before = "new" if self.n_rows_before is None else f"{self.n_rows_before:,}"
        columns = [column.line() for column in self.columns]
        if not columns:
            new = self.n_rows_before is None
            columns = [f"{self.n_columns} columns" if new else "the same columns"]
        return f"{self.name}: {before} -> {self.n_rows:,} rows; {', '.join(columns)}"

    def entry(self) -> str:
        """What the history in the card says of it, as Markdown."""
        before = "" if self.n_rows_before is None else f" ({self.n_rows_before:,} before)"
        columns = [column.escaped().line() for column in self.columns]
        return ", ".join([f"{code(self.name)} {self.n_rows:,} rows{before}", *columns])


def changes(
    features: Mapping[str, Features], rows: Mapping[str, int], before: Contents
) -> tuple[ConfigChange, ...]:
    """Configurations with these columns and rows, against what is there."""
    return tuple(
        ConfigChange(
            name=name,
            n_rows=rows.get(name, 0),
            n_rows_before=before.rows.get(name),
            n_columns=len(columns),
            columns=tuple(_columns(before.features[name], columns))
            if name in before.features
            else (),
        )
        for name, columns in features.items()
    )


def _columns(there: Features, ours: Features) -> Iterator[ColumnChange]:
    for name in dict.fromkeys((*there, *ours)):
        before, now = there.get(name), ours.get(name)
        if before != now:
            yield ColumnChange(
                name=name,
                before=None if before is None else type_in_words(before),
                now=None if now is None else type_in_words(now),
            )


def diff(target: Target, changed: Iterable[ConfigChange]) -> str:
    """What readers would find, configuration by configuration, before -> after."""
    where = f"{target.repo} ({target.revision or MAIN}), before -> after:"
    return "\n".join((where, *(f"  {change.line()}" for change in changed)))


def refuse_another_dataset(built: Build, target: Target, there: Contents) -> None:
    """Refuse a repository that shares no configuration and was not made for the task.

    Raises:
        SchemaError: It is such a one.
    """
    ours = [config.name for config in built.configs]
    known = made_for(there.readme or "") == built.task.name
    if there.features and not (there.features.keys() & set(ours)) and not known:
        msg = (
            f"{target.repo} holds another dataset: it has {', '.join(sorted(there.features))}, "
            f"and none of {', '.join(ours)}. Push to another repository."
        )
        raise SchemaError(msg)


def refuse_losses(
    built: Build, target: Target, changed: Iterable[ConfigChange], allowed: Allowed
) -> None:
    """Refuse what could lose data and was not named; all reasons at once.

    Raises:
        InputError: Items at fault, or fewer rows.
        SchemaError: Other columns, whatever else.
    """
    changed = tuple(changed)
    reasons: dict[str, str] = {}
    if built.n_faults and not allowed.faults:
        n_items = sum(config.n_items for config in built.configs)
        reasons["--allow-faults"] = (
            f"{built.n_faults:,} of {n_items:,} items are at fault ({built.faults_file})"
        )
    fewer = [
        f"{change.name} would shrink from {change.n_rows_before:,} rows to {change.n_rows:,}"
        if change.n_rows_before
        else f"{change.name} has no rows"
        for change in changed
        if change.n_rows < max(change.n_rows_before or 0, 1)
    ]
    if fewer and not allowed.shrink:
        reasons["--allow-shrink"] = "; ".join(fewer)
    columns = [f"{c.name}.{column.fault}" for c in changed for column in c.columns]
    if columns and not allowed.schema_change:
        reasons["--allow-schema-change"] = f"{target.repo} has other columns: {'; '.join(columns)}"
    if reasons:
        other = "--allow-schema-change" in reasons
        mend = "Push to another repository" if other else "Mend the build"
        msg = f"nothing is pushed: {'; '.join(reasons.values())}. {mend}, or allow it: "
        raise (SchemaError if other else InputError)(f"{msg}{' '.join(reasons)}.")
