"""Spaces with the wheel that they run: the metrics, for `evaluate.load`, and the leaderboard.

A Space of the gradio kind installs its requirements before its files are there, so it cannot name
a wheel among them; these are of the docker kind, whose Dockerfile copies first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
from aas_bench.publish.wheel import wheel
from aas_bench.records.address import SETTING, checked_address

NAMESPACE: Final = "weathon"
_DOCKERFILE: Final = Path(__file__).with_name("space.Dockerfile")
_REQUIREMENTS: Final = "requirements.txt"


@dataclass(frozen=True, kw_only=True)
class PublishedSpace:
    """What a push of one Space changed.

    Attributes:
        repo: The Space.
        url: The commit or pull request; None where nothing differed.
        difference: File by file.
    """

    repo: str
    url: str | None
    difference: Difference


def metric_files(name: str, *, namespace: str = NAMESPACE) -> dict[str, bytes]:
    """The files of a metric's Space."""
    files = space_files(Path(metric_path(name)))
    card = files["README.md"].decode().replace(f"{NAMESPACE}/{name}", f"{namespace}/{name}")
    return {**files, "README.md": card.encode()}


def leaderboard_files(folder: Path, *, send_to: str | None = None) -> dict[str, bytes]:
    """The files of the leaderboard's Space.

    Args:
        folder: The folder `leaderboard` of the repository.
        send_to: Where its readers send their results; None: where the program says.

    Raises:
        InputError: The folder is not the leaderboard's, or `send_to` is no place.
    """
    if not (folder / "app.py").is_file() or not (folder / "results").is_dir():
        msg = f"{folder} holds no app.py and results. Give the leaderboard's folder."
        raise InputError(msg)
    files = space_files(folder)
    if send_to is not None:
        start, end = files["Dockerfile"].decode().split("CMD ", 1)
        files["Dockerfile"] = f"{start}ENV {SETTING}={checked_address(send_to)}\nCMD {end}".encode()
    return files


def space_files(folder: Path) -> dict[str, bytes]:
    """A folder with an app.py as a Space: its files, the wheel that it requires, a Dockerfile."""
    paths = {path.relative_to(folder): path for path in sorted(folder.rglob("*"))}
    files = {
        name.as_posix(): path.read_bytes()
        for name, path in paths.items()
        if path.is_file() and not any(p.startswith((".", "__pycache__")) for p in name.parts)
    }
    name, content = wheel()
    required = files[_REQUIREMENTS].decode().splitlines()
    lines = [f"./{name}" if line == "aas-bench" else line for line in required]
    files[_REQUIREMENTS] = ("\n".join(lines) + "\n").encode()
    return {**files, name: content, "Dockerfile": _DOCKERFILE.read_bytes()}


def write_spaces(out: Path, spaces: Mapping[str, Mapping[str, bytes]]) -> list[Path]:
    """Write to `out` what would be pushed, a folder for each Space.

    Args:
        out: A folder that is new, empty or was written by this function.
        spaces: The files of each Space by the name of its folder.

    Raises:
        InputError: `out` is a file, or holds anything else.
    """
    if out.exists() and not out.is_dir():
        msg = f"{out} is a file. Give a folder."
        raise InputError(msg)
    files = {f"{name}/{path}": data for name, of in spaces.items() for path, data in of.items()}
    present = (p.relative_to(out).as_posix() for p in sorted(out.rglob("*")) if p.is_file())
    foreign = [path for path in present if path not in files]
    if foreign:
        msg = f"{out} holds {foreign[0]!r}, which is none of ours. Give a new or empty folder."
        raise InputError(msg)
    for path, data in files.items():
        (out / path).parent.mkdir(parents=True, exist_ok=True)
        write_atomically(out / path, data)
    return [out / name for name in spaces]


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
    return [
        publish_space(target, metric_files(name, namespace=namespace))
        for target, name in zip(targets, names, strict=True)
    ]


def publish_space(target: Target, files: Mapping[str, bytes]) -> PublishedSpace:
    """Push one Space: what differs is sent, older wheels go, other files of it stay.

    Raises:
        InputError: There is no token, or it may not write there.
        BackendError: The Hub failed; the same call goes on.
    """
    from huggingface_hub import HfApi

    api = HfApi(token=require_token())
    with told_plainly(target):
        remote = look(api, target)
        difference = compare(files, remote, owned=_is_wheel)
        url = None
        if difference:
            message = f"Publish {target.repo.partition('/')[2]}"
            url = send(api, target, files, difference, remote, message=message)
    return PublishedSpace(repo=target.repo, url=url, difference=difference)


def _is_wheel(path: str) -> bool:
    return path.startswith("aas_bench-") and path.endswith(".whl")
