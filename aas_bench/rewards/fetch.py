"""Weights on this machine: given by path, in the Hub's cache, or fetched at a pinned commit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aas_bench.errors import BackendError, InputError
from aas_bench.files import file_sha256
from aas_bench.loggers import silence_loggers
from aas_bench.rewards.facts import Weights


@dataclass(frozen=True, kw_only=True)
class Obtained:
    """A file that is here now, and what identifies its content.

    Attributes:
        path: Where it lies.
        identity: JSON values: repository, commit and file name, or for a local file its name and
            SHA-256.
    """

    path: Path
    identity: dict[str, Any]


def obtain(weights: Weights | None, *, local: str | Path | None = None) -> Obtained:
    """Find the file on this machine, or download it.

    Args:
        weights: Where the official file lives.
        local: The file itself, or a folder that holds it under its official name; None: the Hub.

    Raises:
        InputError: `local` does not lead to a file, or no download is known.
        BackendError: It is not in the cache and the download failed; says what to fetch and how.
    """
    assert weights is not None, "only rows with weights are loaded from here"
    if local is None:
        return _from_hub(weights)
    path = Path(local).expanduser()
    path = path / Path(weights.file).name if path.is_dir() else path
    if path.is_file():
        return Obtained(path=path, identity={"file": path.name, "sha256": file_sha256(path)})
    msg = f"{path} is no file. Give the path of {weights.file}, or of a folder that holds it."
    raise InputError(msg)


def companion(weights: Weights, *, local: str | Path | None) -> Obtained:
    """A small file that belongs to a model: beside its local weights, or else from the Hub.

    Args:
        weights: Where the official file lives.
        local: The local weights, file or folder; None: they come from the Hub.
    """
    if local is not None:
        path = Path(local).expanduser()
        beside = (path if path.is_dir() else path.parent) / Path(weights.file).name
        if beside.is_file():
            return obtain(weights, local=beside)
    return obtain(weights)


def obtain_folder(
    repo: str, *, revision: str | None, patterns: Sequence[str], local: str | Path | None = None
) -> Obtained:
    """Find a repository's files on this machine, or download those whose names match.

    Args:
        repo: Repository on the Hugging Face Hub.
        revision: Full commit hash; None: the newest, recorded as found.
        patterns: Shell-style patterns of the files that are needed.
        local: A folder that holds them; None: the Hub.

    Raises:
        InputError: `local` is no folder.
        BackendError: They are not in the cache and the download failed.
    """
    if local is not None:
        folder = Path(local).expanduser()
        if not folder.is_dir():
            msg = f"{folder} is no folder. Give the folder that holds the files of {repo}."
            raise InputError(msg)
        files = sorted(p for pattern in patterns for p in folder.glob(pattern) if p.is_file())
        hashes = {path.name: file_sha256(path) for path in files}
        return Obtained(path=folder, identity={"folder": folder.name, "sha256": hashes})
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError, HFValidationError

    try:
        with silence_loggers("huggingface_hub"):
            found = snapshot_download(repo, revision=revision, allow_patterns=list(patterns))
        folder = Path(found)
    except HFValidationError as error:
        msg = f"{repo!r} is no name of a repository. Write OWNER/NAME."
        raise InputError(msg) from error
    except (EntryNotFoundError, HfHubHTTPError, OSError) as error:
        included = " ".join(f"--include '{pattern}'" for pattern in patterns)
        raise _unreachable(repo, f"The model {repo}", included, revision, error) from error
    return Obtained(path=folder, identity={"repo": repo, "revision": commit_of(folder)})


def _from_hub(weights: Weights) -> Obtained:
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError

    if weights.repo is None:
        msg = (
            f"{weights.file} is not on the Hugging Face Hub. Download it from the links at "
            f"{weights.page} and give its path as weights=PATH (--weights PATH)."
        )
        raise InputError(msg)
    try:
        with silence_loggers("huggingface_hub"):
            path = Path(hf_hub_download(weights.repo, weights.file, revision=weights.revision))
    except (EntryNotFoundError, HfHubHTTPError, OSError) as error:
        size = f" ({weights.size / 1e9:.3g} GB)" if weights.size else ""
        what = f"{weights.file}{size} of {weights.repo}"
        raise _unreachable(weights.repo, what, weights.file, weights.revision, error) from error
    identity = {"repo": weights.repo, "file": weights.file, "revision": commit_of(path)}
    return Obtained(path=path, identity=identity)


def _unreachable(
    repo: str, what: str, files: str, revision: str | None, error: Exception
) -> BackendError:
    from huggingface_hub.errors import RemoteEntryNotFoundError

    pinned = f" --revision {revision}" if revision else ""
    reason = str(error).strip().partition("\n")[0].partition(". ")[0]
    return BackendError(
        f"{what} is neither in the cache nor could it be downloaded ({reason:.200}). "
        f"Where there is a network, run: hf download {repo} {files}{pinned}   "
        f"Or give a local copy as weights=PATH (--weights PATH).",
        retryable=not isinstance(error, RemoteEntryNotFoundError),
    )


def commit_of(path: Path) -> str | None:
    """The commit under which a file lies in the Hub's cache; None outside of it."""
    parts = path.parts
    return parts[parts.index("snapshots") + 1] if "snapshots" in parts else None
