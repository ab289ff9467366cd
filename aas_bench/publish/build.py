"""Build a dataset folder: exactly the repository that would be pushed, file by file.

README.md  pairs/test-00000-of-00008.parquet ...    what is pushed
.build/    manifest.json  parts/*.json  faults.jsonl    how far the build is; never pushed
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from aas_bench.errors import InputError, SchemaError
from aas_bench.files import ASIDE, file_sha256, json_value, whole_file
from aas_bench.publish.builder import BenchBuilder
from aas_bench.publish.built import FAULTS, STATE, Build, ConfigBuild
from aas_bench.publish.card import write_card
from aas_bench.publish.shards import Note, Written, write_shard
from aas_bench.run.directory import PARTS, RunDirectory, open_run
from aas_bench.run.progress import progress_bar
from aas_bench.version import __version__

_PACKAGES: Final = ("datasets", "pyarrow", "pillow", "numpy")


@dataclass(frozen=True, kw_only=True)
class _Shard:
    """What one file is to hold."""

    builder: BenchBuilder
    items: Sequence[Any]
    number: int
    of: int
    n_known: int

    @property
    def path(self) -> str:
        return f"{self.builder.config.name}/test-{self.number:05d}-of-{self.of:05d}.parquet"

    @property
    def record(self) -> str:
        return f"{PARTS}/{self.builder.config.name}-{self.number:05d}.json"


def build(
    builders: Sequence[BenchBuilder],
    out: Path,
    *,
    repo: str | None = None,
    limit: int | None = None,
    progress: bool = True,
) -> Build:
    """Build the configurations of one dataset into the folder `out`, or go on where it stopped.

    Finished files are recognised by their checksums and kept. Built twice, the bytes are the same.

    Args:
        builders: One for each configuration, all of one task; the first is the default.
        out: Absent, empty, or an unfinished or finished build of the same.
        repo: The repository that it is for, owner/name, which the card's lines read; None: the
            dataset's own.
        limit: At most so many items of each configuration, the first.
        progress: Draw a bar on stderr where that is a terminal.

    Raises:
        InputError: `limit` is below 1, `out` holds other files, or a configuration has no items.
        SchemaError: Two rows share a key.
        StoreError: `out` holds a build of something else (the message says what differs), another
            process writes to it, or the disk is full.
    """
    _check(builders, out, limit)
    shards = [shard for builder in builders for shard in _shards(builder, limit)]
    (out / STATE).mkdir(parents=True, exist_ok=True)
    with open_run(out / STATE, kind="dataset", spec=_spec(shards, limit)) as run:
        _clear_aside(out)
        total = sum(len(shard.items) for shard in shards)
        with progress_bar("building", unit="items", total=total, shown=progress) as advance:
            written = {shard.path: _finished(run, out, shard) for shard in shards}
            seen: dict[tuple[str, str], str] = {}
            for shard in shards:
                known = written[shard.path]
                if known is None:
                    known = written[shard.path] = _write(run, out, shard, advance)
                else:
                    advance(len(shard.items))
                _refuse_duplicates(shard, known, seen)
        configs = tuple(_config_build(b, shards, written) for b in builders)
        task = builders[0].TASK
        result = Build(path=out, task=task, configs=configs, repo=repo or task.hub_id)
        _finish(run, result, builders)
    return result


def _check(builders: Sequence[BenchBuilder], out: Path, limit: int | None) -> None:
    if limit is not None and limit < 1:
        msg = f"limit is {limit}. Give at least 1, or None for all."
        raise InputError(msg)
    if out.exists() and not out.is_dir():
        msg = f"{out} is a file. Give a folder for the build."
        raise InputError(msg)
    foreign = sorted(p.name for p in out.iterdir()) if out.exists() else []
    if foreign and STATE not in foreign:
        msg = f"{out} holds {foreign[0]!r} and no build. Give a new or empty folder."
        raise InputError(msg)
    names = [builder.config.name for builder in builders]
    if len(set(names)) != len(names) or len({b.TASK.name for b in builders}) != 1:
        msg = f"the configurations {names} are not distinct ones of one task"
        raise ValueError(msg)


def _shards(builder: BenchBuilder, limit: int | None) -> Iterator[_Shard]:
    known = builder.items()
    items = list(known)[:limit]
    if not items:
        msg = f"{builder.config.name}: the source holds no items. Check the source."
        raise InputError(msg)
    starts = range(0, len(items), builder.ITEMS_PER_SHARD)
    for number, start in enumerate(starts):
        part = items[start : start + builder.ITEMS_PER_SHARD]
        yield _Shard(builder=builder, items=part, number=number, of=len(starts), n_known=len(known))


def _spec(shards: Iterable[_Shard], limit: int | None) -> dict[str, Any]:
    """All that the bytes depend on."""
    items: dict[BenchBuilder, list[Any]] = {}
    for shard in shards:
        items.setdefault(shard.builder, []).extend(shard.items)
    return {
        "limit": limit,
        "packages": {"aas-bench": __version__, **{p: version(p) for p in _PACKAGES}},
        "configs": {
            builder.config.name: {
                "builder": type(builder).__qualname__,
                "options": {k: repr(v) for k, v in builder.config.options().items()},
                "items_per_shard": builder.ITEMS_PER_SHARD,
                "source": builder.fingerprint(own),
            }
            for builder, own in items.items()
        },
    }


def _finished(run: RunDirectory, out: Path, shard: _Shard) -> Written | None:
    """The record of a shard whose file is there as it was written; else None.

    None also where an item was left out that is worth another try.
    """
    try:
        record = json_value((run.path / shard.record).read_bytes())
        if record["again"] or record["sha256"] != file_sha256(out / shard.path):
            return None
        notes = tuple(Note(**note) for note in record["notes"])
        return Written(keys=tuple(record["keys"]), notes=notes)
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _write(run: RunDirectory, out: Path, shard: _Shard, advance: Any) -> Written:
    target = out / shard.path
    target.parent.mkdir(exist_ok=True)
    with whole_file(target) as file:
        written = write_shard(shard.builder, shard.items, file, advance=advance)
    record = {
        "sha256": file_sha256(target),
        "keys": written.keys,
        "notes": [note.to_dict() for note in written.notes],
        "again": written.again,
    }
    run.write_json(shard.record, record)  # last: its presence says that the file is whole
    return written


def _refuse_duplicates(shard: _Shard, written: Written, seen: dict[tuple[str, str], str]) -> None:
    for key in written.keys:
        name = (shard.builder.config.name, key)
        if name in seen:
            msg = (
                f"two rows of {name[0]} are called {key!r} (in {seen[name]} and {shard.path}). "
                "Make the names in the source unique."
            )
            raise SchemaError(msg)
        seen[name] = shard.path


def _config_build(
    builder: BenchBuilder, shards: Iterable[_Shard], written: dict[str, Written | None]
) -> ConfigBuild:
    own = [shard for shard in shards if shard.builder is builder]
    parts = [part for shard in own if (part := written[shard.path]) is not None]
    return ConfigBuild(
        name=builder.config.name,
        files=tuple(shard.path for shard in own),
        n_known=own[0].n_known,
        n_items=sum(len(shard.items) for shard in own),
        n_rows=sum(len(part.keys) for part in parts),
        features=builder.info.features,
        notes=tuple(note for part in parts for note in part.notes),
    )


def _finish(run: RunDirectory, result: Build, builders: Sequence[BenchBuilder]) -> None:
    notes = [note.to_dict() for config in result.configs for note in config.notes]
    lines = [json.dumps(n, ensure_ascii=False, sort_keys=True) + "\n" for n in notes]
    run.write(FAULTS, "".join(lines).encode())
    write_card(result, builders)


def _clear_aside(out: Path) -> None:
    """Remove what a killed process left half-written."""
    for stale in out.rglob(f"{ASIDE}*"):
        stale.unlink()
