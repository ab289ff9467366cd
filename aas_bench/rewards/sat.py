"""Checkpoints of SwissArmyTransformer: a folder, or the archive of one in the parts it is sent in.

An archive is read where it lies: its parts are one file to the reader, and tensors are taken out
of it one at a time, so that a checkpoint of 36 GB needs neither a merged nor an unpacked copy.
"""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final, cast

import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from aas_bench.errors import InputError
from aas_bench.files import file_sha256
from aas_bench.rewards.facts import RewardRow
from aas_bench.rewards.fetch import obtain_folder, parts_of, read_json, weights_in
from aas_bench.rewards.weights import StateDict, Stored, Tensors, read, tensors_only, unpickled

SETTINGS: Final = "model_config.json"
LATEST: Final = "latest"
PARTS: Final = ("ckpts/split_part_*", "split_part_*", "ckpts/*.tar", "*.tar")
INERT: Final = ("argparse", "deepspeed", "numpy", "sat")
"""Packages whose objects a training run leaves beside the tensors; none of them is made."""
OFFSET: Final = "_checkpoint_offset"
"""What torch calls the place of a tensor's bytes in its file."""


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """What a checkpoint holds.

    Attributes:
        settings: Of its `model_config.json`.
        state: Tensors by the names of SwissArmyTransformer.
        origin: Where the tensors come from, for messages.
        identity: JSON values: repository and commit, or the SHA-256 of each file.
    """

    settings: dict[str, Any]
    state: StateDict
    origin: Path
    identity: dict[str, Any]


def checkpoint(row: RewardRow, *, local: str | Path | None) -> Checkpoint:
    """The checkpoint of a row, from the Hub or from a folder.

    Args:
        row: Its repository holds the archive in parts, as `ckpts/split_part_*`.
        local: A folder with `model_config.json` and the weights, or with the archive or its parts;
            None: the row's repository.

    Raises:
        InputError: The folder holds neither, or a file is damaged.
        BackendError: It is not in the cache and the download failed.
    """
    if local is None:
        assert row.weights is not None
        assert row.weights.repo is not None
        files = obtain_folder(
            row.weights.repo,
            revision=row.weights.revision,
            patterns=PARTS[:1],
            name=row.name,
        )
        return _from_archive(_parts_in(files.path), files.identity)
    folder = Path(local).expanduser()
    unpacked = _unpacked_in(folder)
    if unpacked is not None:
        return _from_folder(unpacked)
    parts = _parts_in(folder)
    if not parts:
        msg = f"{folder} has neither {SETTINGS} nor an archive (ckpts/split_part_*). Give the"
        raise InputError(f"{msg} folder of {row.weights.repo if row.weights else row.name}.")
    hashes = {part.name: file_sha256(part) for part in parts}
    return _from_archive(parts, {"folder": folder.name, "sha256": hashes})


def _unpacked_in(folder: Path) -> Path | None:
    """The folder itself, or the only one below it that a checkpoint was unpacked to."""
    found = [
        settings.parent
        for depth in ("", "*/", "ckpts/*/")
        for settings in sorted(folder.glob(f"{depth}{SETTINGS}"))
    ]
    return found[0] if found else None


def _parts_in(folder: Path) -> list[Path]:
    for pattern in PARTS:
        if parts := sorted(folder.glob(pattern)):
            return parts
    return []


def _from_folder(folder: Path) -> Checkpoint:
    latest = folder / LATEST
    inside = latest.read_text(encoding="utf-8").strip() if latest.is_file() else ""
    path = weights_in(folder / Path(inside).name, "mp_rank_00_model_states.pt")
    hashes = {file.name: file_sha256(file) for file in (folder / SETTINGS, *parts_of(path))}
    return Checkpoint(
        settings=read_json(folder / SETTINGS),
        state=read(path, inert=INERT),
        origin=path,
        identity={"folder": folder.name, "sha256": hashes},
    )


def _from_archive(parts: Sequence[Path], identity: dict[str, Any]) -> Checkpoint:
    told = f"{parts[0].parent} (archive {parts[0].name}, ...)" if parts else "the repository"
    try:
        with _opened(parts) as whole, tarfile.open(fileobj=whole, mode="r:") as archive:
            members = [member for member in archive if member.isreg()]
            settings = _only(members, SETTINGS)
            weights = _only(members, ".pt")
            text = cast("BinaryIO", archive.extractfile(settings)).read()
    except (tarfile.TarError, LookupError, OSError) as error:
        msg = f"{told} is no whole archive of one checkpoint ({error}). Download all parts again"
        raise InputError(f"{msg}, or unpack them: cat ckpts/split_part_* | tar -x") from error
    try:
        loaded = json.loads(text)
    except ValueError as error:
        msg = f"{settings.name} in {told} is no JSON ({error!s:.100}). Download it again."
        raise InputError(msg) from error
    source = _Archived(parts, weights)
    return Checkpoint(
        settings=loaded, state=source.tensors(), origin=source.origin, identity=identity
    )


def _only(members: Sequence[tarfile.TarInfo], ending: str) -> tarfile.TarInfo:
    found = [m for m in members if Path(m.name).name.endswith(ending) and "._" not in m.name]
    if len(found) != 1:
        msg = f"{len(found)} files *{ending} in it, not one"
        raise LookupError(msg)
    return found[0]


class _Archived:
    """The weights file inside an archive, whose tensors are copied out one at a time."""

    def __init__(self, parts: Sequence[Path], member: tarfile.TarInfo) -> None:
        self.origin = parts[0].parent / member.name
        self._file = _opened(parts, member.offset_data, member.size)
        # tensors without room, which know where their bytes begin
        with FakeTensorMode():
            whole = unpickled(self.origin, inert=INERT, file=self._file)
        self._places: Tensors = tensors_only(whole, self.origin)
        if not all(hasattr(t.untyped_storage(), OFFSET) for t in self._places.values()):
            msg = f"torch {torch.__version__} does not say where in {self.origin} its tensors are."
            raise InputError(f"{msg} Unpack the archive: cat ckpts/split_part_* | tar -x")

    def tensors(self) -> StateDict:
        """What the file holds, by name."""
        return {
            name: Stored(file=self, name=name, shape=tuple(place.shape))
            for name, place in self._places.items()
        }

    def copy(self, name: str, device: str, dtype: torch.dtype | None) -> torch.Tensor:
        """One tensor; floating-point ones in `dtype`, if it is given."""
        place = self._places[name]
        first = place.storage_offset() * place.itemsize
        span = sum((n - 1) * step for n, step in zip(place.shape, place.stride(), strict=True)) + 1
        held = bytearray(span * place.itemsize)
        self._file.seek(getattr(place.untyped_storage(), OFFSET) + first)
        if self._file.readinto(held) < len(held):  # type: ignore[attr-defined]
            msg = f"{self.origin} ends within {name}. Download all parts of the archive again."
            raise InputError(msg)
        tensor = torch.frombuffer(held, dtype=place.dtype).as_strided(place.shape, place.stride())
        placed: torch.Tensor = tensor.to(device, dtype if tensor.is_floating_point() else None)
        return placed


def _opened(parts: Sequence[Path], start: int = 0, size: int | None = None) -> BinaryIO:
    return cast("BinaryIO", io.BufferedReader(_Joined(parts, start, size)))


class _Joined(io.RawIOBase):
    """Files one behind the other, or a stretch of them, read as one."""

    def __init__(self, parts: Sequence[Path], start: int, size: int | None) -> None:
        self._files = [part.open("rb") for part in parts]
        self._sizes = [part.stat().st_size for part in parts]
        self._start = start
        self._size = sum(self._sizes) - start if size is None else size
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        self._at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: Any, /) -> int:
        at, wanted = self._start + self._at, min(len(buffer), max(self._size - self._at, 0))
        for file, size in zip(self._files, self._sizes, strict=True):
            if at < size:
                file.seek(at)
                read = file.readinto(memoryview(buffer)[: min(wanted, size - at)])
                self._at += read
                return read
            at -= size
        return 0

    def close(self) -> None:
        for file in self._files:
            file.close()
        super().close()
