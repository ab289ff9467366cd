"""The metrics as Spaces, from which `evaluate.load("owner/aas_preference")` takes them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from aas_bench.errors import InputError
from aas_bench.files import write_atomically
from aas_bench.metric.install import NAMES, metric_path
from aas_bench.publish.sync import (
    Difference,
    Target,
    check_access,
    compare,
    look,
    require_token,
    send,
    told_plainly,
)

NAMESPACE: Final = "weathon"


@dataclass(frozen=True, kw_only=True)
class PublishedSpace:
    """What a push of one metric changed.

    Attributes:
        repo: The Space.
        url: The commit or pull request; None where nothing differed.
        difference: File by file.
    """

    repo: str
    url: str | None
    difference: Difference


def metric_files(name: str) -> dict[str, Path]:
    """The files of a metric's Space: its card, its page, its requirements and its module."""
    folder = Path(metric_path(name))
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    named = {path.relative_to(folder): path for path in files}
    return {
        path.as_posix(): file
        for path, file in named.items()
        if not any(part.startswith((".", "__pycache__")) for part in path.parts)
    }


def write_metrics(out: Path, *, names: Sequence[str] = NAMES) -> list[Path]:
    """Write to `out` what would be pushed, a folder for each Space.

    Raises:
        InputError: `out` is a file, or holds anything else.
    """
    if out.exists() and not out.is_dir():
        msg = f"{out} is a file. Give a folder."
        raise InputError(msg)
    files = {f"{name}/{path}": file for name in names for path, file in metric_files(name).items()}
    present = (p.relative_to(out).as_posix() for p in sorted(out.rglob("*")) if p.is_file())
    foreign = [path for path in present if path not in files]
    if foreign:
        msg = f"{out} holds {foreign[0]!r}, which is none of ours. Give a new or empty folder."
        raise InputError(msg)
    for path, file in files.items():
        (out / path).parent.mkdir(parents=True, exist_ok=True)
        write_atomically(out / path, file.read_bytes())
    return [out / name for name in names]


def publish_metrics(
    *,
    namespace: str = NAMESPACE,
    names: Sequence[str] = NAMES,
    create_pr: bool = False,
    private: bool = False,
) -> list[PublishedSpace]:
    """Push each metric to the Space `namespace/name`; only what differs is sent.

    Raises:
        InputError: There is no token, the Hub refuses it, or the namespace is impossible.
        BackendError: The Hub failed; the same call goes on.
    """
    targets = [
        Target(repo=f"{namespace}/{name}", kind="space", create_pr=create_pr, private=private)
        for name in names
    ]
    check_access(targets[0])
    return [_publish(target, name) for target, name in zip(targets, names, strict=True)]


def _publish(target: Target, name: str) -> PublishedSpace:
    from huggingface_hub import HfApi

    api = HfApi(token=require_token())
    local: dict[str, Path | bytes] = {**metric_files(name)}
    with told_plainly(target):
        remote = look(api, target)
        # Nothing is removed: what else a maintainer put into the Space stays.
        difference = compare(local, remote, owned=lambda _: False)
        url = None
        if difference:
            url = send(api, target, local, difference, remote, message=f"Publish {name}")
    return PublishedSpace(repo=target.repo, url=url, difference=difference)
