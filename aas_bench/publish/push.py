"""Push a built dataset folder to its repository, and say what changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aas_bench.errors import SchemaError
from aas_bench.publish.built import STATE, Build
from aas_bench.publish.card import README, is_untouched, made_for, sealed, without_seal
from aas_bench.publish.columns import type_in_words
from aas_bench.publish.sync import (
    MAIN,
    Difference,
    Remote,
    Target,
    compare,
    look,
    require_token,
    send,
    told_plainly,
)

if TYPE_CHECKING:
    from datasets import Features
    from huggingface_hub import HfApi


@dataclass(frozen=True, kw_only=True)
class ConfigChange:
    """Rows and columns of a configuration, now and before; None: it was not there."""

    name: str
    n_rows: int
    n_rows_before: int | None
    n_columns: int


@dataclass(frozen=True, kw_only=True)
class Published:
    """What a push changed.

    Attributes:
        target: Where it went.
        url: The commit or pull request; None where nothing differed.
        difference: File by file.
        configs: The configurations.
        notes: What else the maintainer should know.
    """

    target: Target
    url: str | None
    difference: Difference
    configs: tuple[ConfigChange, ...]
    notes: tuple[str, ...]

    def text(self) -> str:
        """The summary in lines."""
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        where = f"{self.target.repo} ({self.target.revision or MAIN})"
        yield f"{where}: {self.url or 'nothing to push, all files are there'}"
        for config in self.configs:
            before = config.n_rows_before
            was = "new" if before is None else f"{before:,} before"
            yield f"  {config.name}: {config.n_rows:,} rows ({was}), {config.n_columns} columns"
        yield from (f"  {line}" for line in self.difference.lines())
        yield from (f"  note: {note}" for note in self.notes)


def publish(built: Build, target: Target, *, replace_card: bool = False) -> Published:
    """Push a build: only what differs is sent, as one commit or pull request.

    Args:
        built: The build.
        target: Where to.
        replace_card: Overwrite a README.md that someone edited on the Hub; by default its text and
            metadata stay, and only the lists of configurations and features are renewed.

    Raises:
        InputError: There is no token, or it may not write there.
        SchemaError: The repository holds other columns, or another dataset; nothing is pushed.
        BackendError: The Hub failed; the same call goes on.
    """
    from huggingface_hub import HfApi

    api = HfApi(token=require_token())
    with told_plainly(target):
        remote = look(api, target)
        there = _Repository.read(api, target, remote)
        _refuse_other_schema(built, target, there)
        readme, notes = _readme(built, there, replace_card=replace_card)
        local: dict[str, Path | bytes] = {**_files(built), README: readme.encode()}
        folders = tuple(f"{config.name}/" for config in built.configs)
        difference = compare(local, remote, owned=lambda name: name.startswith(folders))
        url = None
        if difference:
            message = f"Publish {built.task.name}: {', '.join(c.name for c in built.configs)}"
            url = send(api, target, local, difference, remote, message=message)
    return Published(
        target=target,
        url=url,
        difference=difference,
        configs=tuple(_change(built, c.name, c.n_rows, there) for c in built.configs),
        notes=tuple(notes),
    )


def _files(built: Build) -> dict[str, Path]:
    """What of a build folder is pushed."""
    files = (path for path in sorted(built.path.rglob("*")) if path.is_file())
    named = {path.relative_to(built.path).as_posix(): path for path in files}
    return {name: path for name, path in named.items() if not name.startswith(f"{STATE}/")}


@dataclass(frozen=True, kw_only=True)
class _Repository:
    """What a dataset repository says of itself.

    Attributes:
        readme: Its card; None where there is none.
        features: Of its configurations.
        rows: Their numbers of rows, where the card says so.
    """

    readme: str | None
    features: Mapping[str, Features]
    rows: Mapping[str, int]

    @classmethod
    def read(cls, api: HfApi, target: Target, remote: Remote | None) -> _Repository:
        """Read the card, and the schema of a Parquet file where the card does not give it."""
        from datasets import Features

        if remote is None:
            return cls(readme=None, features={}, rows={})
        readme, features, rows = None, {}, {}
        if README in remote.files:
            path = api.hf_hub_download(
                target.repo, README, repo_type="dataset", revision=remote.commit
            )
            readme = Path(path).read_text(encoding="utf-8")
            for info in _infos(_parsed(readme)):
                name = info.get("config_name", "default")
                features[name] = Features._from_yaml_list(info.get("features") or [])
                rows[name] = sum(split["num_examples"] for split in info.get("splits") or [])
        for name in sorted(remote.files):
            folder = name.partition("/")[0]
            if name.endswith(".parquet") and folder not in features:
                features[folder] = _parquet_features(api, target, remote, name)
        return cls(readme=readme, features=features, rows=rows)


def _parsed(readme: str) -> Any:
    from huggingface_hub import DatasetCard

    return DatasetCard(readme)


def _infos(card: Any) -> list[dict[str, Any]]:
    info = card.data.to_dict().get("dataset_info") or []
    return info if isinstance(info, list) else [info]


def _parquet_features(api: HfApi, target: Target, remote: Remote, name: str) -> Features:
    """From the footer of a file: the rest is not fetched."""
    import pyarrow.parquet as pq
    from datasets import Features
    from huggingface_hub import HfFileSystem

    system = HfFileSystem(endpoint=api.endpoint, token=api.token)
    with system.open(f"datasets/{target.repo}@{remote.commit}/{name}", "rb") as file:
        return Features.from_arrow_schema(pq.read_schema(file))


def _refuse_other_schema(built: Build, target: Target, there: _Repository) -> None:
    ours = {c.name: c.features for c in built.configs}
    known = made_for(there.readme or "") == built.task.name
    if there.features and not (there.features.keys() & ours.keys()) and not known:
        msg = (
            f"{target.repo} holds another dataset: it has {', '.join(sorted(there.features))}, "
            f"and none of {', '.join(ours)}. Push to another repository."
        )
        raise SchemaError(msg)
    faults = [
        f"{config}.{fault}"
        for config, features in ours.items()
        if config in there.features
        for fault in _schema_faults(there.features[config], features)
    ]
    if faults:
        msg = (
            f"{target.repo} has other columns: {'; '.join(faults)}. Push to another repository, or "
            "delete the old files there first."
        )
        raise SchemaError(msg)


def _schema_faults(there: Features, ours: Features) -> Iterator[str]:
    for name in dict.fromkeys((*there, *ours)):
        if name not in ours:
            yield f"{name} is only there"
        elif name not in there:
            yield f"{name} is only here"
        elif there[name] != ours[name]:
            before, now = type_in_words(there[name]), type_in_words(ours[name])
            differ = "" if before != now else ", with other names"
            yield f"{name} is {before} there and {now} here{differ}"


def _readme(built: Build, there: _Repository, *, replace_card: bool) -> tuple[str, list[str]]:
    """The card to push: ours, unless someone edited the one on the Hub."""
    text = (built.path / README).read_text(encoding="utf-8")
    if there.readme is None:
        return text, []
    ours, theirs = _parsed(without_seal(text)), _parsed(there.readme)
    names = {config.name for config in built.configs}
    infos = [i for i in _infos(theirs) if i.get("config_name", "default") not in names]
    configs = [
        c for c in theirs.data.to_dict().get("configs") or [] if c["config_name"] not in names
    ]
    notes = []
    if configs:
        kept = ", ".join(config["config_name"] for config in configs)
        notes.append(f"kept {kept}, which this build does not hold; the card's text omits it")
    merged = {
        "configs": [*ours.data.to_dict()["configs"], *configs],
        "dataset_info": [*_infos(ours), *infos],
    }
    if is_untouched(there.readme) or replace_card:
        if not configs:
            return text, notes
        ours.data.configs, ours.data.dataset_info = merged["configs"], merged["dataset_info"]
        return sealed(f"{str(ours).rstrip()}\n\n", built.task.name), notes
    theirs.data.configs, theirs.data.dataset_info = merged["configs"], merged["dataset_info"]
    notes.append(
        "README.md was edited by hand and keeps its text and metadata; only configs and "
        "dataset_info are renewed. --replace-card puts the generated one there"
    )
    return str(theirs), notes


def _change(built: Build, name: str, n_rows: int, there: _Repository) -> ConfigChange:
    features = next(c.features for c in built.configs if c.name == name)
    return ConfigChange(
        name=name,
        n_rows=n_rows,
        n_rows_before=there.rows.get(name),
        n_columns=len(features),
    )
