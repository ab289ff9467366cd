"""Weights on this machine: given by path, in the Hub's cache, or fetched at a pinned commit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from aas_bench.errors import BackendError, InputError
from aas_bench.files import file_sha256, json_value, silence_loggers
from aas_bench.rewards.facts import Weights
from aas_bench.rewards.spelling import WEIGHTS_SUFFIXES

INDEX_SUFFIX: Final = ".index.json"
USUAL_NAMES: Final = (
    "model.safetensors",
    f"model.safetensors{INDEX_SUFFIX}",
    "pytorch_model.bin",
    f"pytorch_model.bin{INDEX_SUFFIX}",
)
ADAPTER_CONFIG: Final = "adapter_config.json"


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


def obtain(
    weights: Weights | None, *, local: str | Path | None = None, name: str = "NAME"
) -> Obtained:
    """Find the file on this machine, or download it.

    Args:
        weights: Where the official file lives.
        local: The file itself, or a folder that holds it under its official name or that
            of a trainer; None: the Hub.
        name: How the reward model is called, for the advice in an error.

    Raises:
        InputError: `local` does not lead to a file, or no download is known.
        BackendError: It is not in the cache and the download failed; says what to fetch and how.
    """
    assert weights is not None, "only rows with weights are loaded from here"
    if local is None:
        return _from_hub(weights, name)
    path = weights_in(Path(local).expanduser(), weights.file)
    hashes = {part.name: file_sha256(part) for part in parts_of(path)}
    sha256 = hashes[path.name] if len(hashes) == 1 else hashes
    return Obtained(path=path, identity={"file": path.name, "sha256": sha256})


def weights_in(path: Path, official: str) -> Path:
    """The weights file that a path means: itself, or the one of a folder.

    Args:
        path: A file, or a folder as its maker or a trainer leaves it.
        official: The name that the file has where it was published; looked for first.

    Raises:
        InputError: There is none, or several and none has a usual name.
    """
    if path.is_file():
        return path
    for usual in (Path(official).name, *USUAL_NAMES):
        if (path / usual).is_file():
            return path / usual
    if (path / ADAPTER_CONFIG).is_file():
        msg = (
            f"{path} holds a low-rank adapter, which is merged for hf:, pickscore, clip-l and "
            f"vlm:. Merge it first: peft's merge_and_unload(), then save_pretrained(FOLDER)."
        )
        raise InputError(msg)
    found = [p for p in sorted(path.glob("*")) if p.suffix in WEIGHTS_SUFFIXES]
    if len(found) == 1:
        return found[0]
    if found:
        msg = f"{path} holds {len(found)} files of weights. Give one, e.g. {found[0]}."
        raise InputError(msg)
    if path.is_dir():
        whole = (name for name in USUAL_NAMES if not name.endswith(INDEX_SUFFIX))
        msg = f"{path} has neither {' nor '.join(dict.fromkeys((official, *whole)))}."
        raise InputError(f"{msg} Give the weights file itself, or the folder that holds it.")
    msg = f"{path} is no file. Give the path of {official}, or of a folder that holds it."
    raise InputError(msg)


def parts_of(path: Path) -> list[Path]:
    """The files that hold the weights of `path`: itself, or an index and the parts it names.

    Raises:
        InputError: The index is damaged, or a part is missing.
    """
    if not path.name.endswith(INDEX_SUFFIX):
        return [path]
    names = read_json(path).get("weight_map")
    if not (isinstance(names, dict) and all(isinstance(n, str) for n in names.values())):
        msg = f"{path} names no parts. Save the model again."
        raise InputError(msg)
    parts = [path.parent / Path(name).name for name in sorted(set(names.values()))]
    missing = [part.name for part in parts if not part.is_file()]
    if missing:
        msg = f"{path} names parts that are not beside it: {', '.join(missing[:3])}. Copy them."
        raise InputError(msg)
    return [path, *parts]


def read_json(path: Path) -> dict[str, Any]:
    """The object that a JSON file of a model holds.

    Raises:
        InputError: The file is missing, damaged or holds something else.
    """
    if not path.is_file():
        msg = f"{path} is missing. Give a folder with all the files of the model."
        raise InputError(msg)
    try:
        content = json_value(path.read_text(encoding="utf-8"))
    except ValueError as error:
        msg = f"{path} is no JSON ({error!s:.100}). Save or download it again."
        raise InputError(msg) from error
    if not isinstance(content, dict):
        msg = f"{path} holds a {type(content).__name__}, not settings by name. Save it again."
        raise InputError(msg)
    return content


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
    repo: str,
    *,
    revision: str | None,
    patterns: Sequence[str],
    local: str | Path | None = None,
    name: str = "hf",
) -> Obtained:
    """Find a repository's files on this machine, or download those whose names match.

    Args:
        repo: Repository on the Hugging Face Hub.
        revision: Full commit hash; None: the newest, recorded as found.
        patterns: Shell-style patterns of the files that are needed.
        local: A folder that holds them; None: the Hub.
        name: What stands before the colon of a path, for the advice in an error.

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
        raise _unreachable(repo, f"The model {repo}", included, revision, name, error) from error
    return Obtained(path=folder, identity={"repo": repo, "revision": commit_of(folder)})


def _from_hub(weights: Weights, name: str) -> Obtained:
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError, HFValidationError

    if weights.repo is None:
        msg = (
            f"{weights.file} is not on the Hugging Face Hub. Download it from the links at "
            f"{weights.page} and name it by its path: {name}:PATH."
        )
        raise InputError(msg)
    try:
        with silence_loggers("huggingface_hub"):
            path = Path(hf_hub_download(weights.repo, weights.file, revision=weights.revision))
    except HFValidationError as error:
        msg = f"{weights.repo!r} is no name of a repository. Write OWNER/NAME."
        raise InputError(msg) from error
    except (EntryNotFoundError, HfHubHTTPError, OSError) as error:
        size = f" ({weights.size / 1e9:.3g} GB)" if weights.size else ""
        what = f"{weights.file}{size} of {weights.repo}"
        raise _unreachable(
            weights.repo, what, weights.file, weights.revision, name, error
        ) from error
    identity = {"repo": weights.repo, "file": weights.file, "revision": commit_of(path)}
    return Obtained(path=path, identity=identity)


def _unreachable(
    repo: str, what: str, files: str, revision: str | None, name: str, error: Exception
) -> BackendError:
    from huggingface_hub.errors import RemoteEntryNotFoundError

    pinned = f" --revision {revision}" if revision else ""
    reason = str(error).strip().partition("\n")[0].partition(". ")[0]
    return BackendError(
        f"{what} is neither in the cache nor could it be downloaded ({reason:.200}). "
        f"Where there is a network, run: hf download {repo} {files}{pinned}   "
        f"Or name a local copy by its path: {name}:PATH.",
        retryable=not isinstance(error, RemoteEntryNotFoundError),
    )


def commit_of(path: Path) -> str | None:
    """The commit under which a file lies in the Hub's cache; None outside of it."""
    parts = path.parts
    return parts[parts.index("snapshots") + 1] if "snapshots" in parts else None
