"""The clean counterparts of photographs: a generator's run directory, or a folder of images."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from aas_bench.errors import InputError
from aas_bench.files import json_value
from aas_bench.sources.photographs import Photograph
from aas_bench.tables.schema import UNKNOWN_MODEL
from aas_bench.tables.user_images import ImageFolder

AUTHORS_MODEL: Final = "z_image_turbo"
"""What made the clean images that the authors' own table names; so says their page."""


class NoCleanImageError(InputError):
    """A clean image that should be there is not."""


@dataclass(frozen=True, kw_only=True)
class CleanImage:
    """An image and what made it."""

    path: Path
    model: str


class CleanImages:
    """Find the clean counterpart of a photograph.

    Args:
        path: A run directory whose prompts carry the photographs' `index`; or a folder of images
            named by a table, or called `<AVA id>_clean` or `<index>_clean`.
        model: What made them; None: the run directory says, or the authors' table.

    Raises:
        InputError: There is no such folder, or its manifest is damaged.
    """

    def __init__(self, path: str | os.PathLike[str], *, model: str | None = None) -> None:
        self.path, self.model = Path(path), model
        self.run = _manifest(self.path)
        self.folder = ImageFolder(path)

    def meant_for(self, photo: Photograph) -> bool:
        """Whether a clean image of the photograph was made, tried or named."""
        if self.run is not None:
            return self._record_file(photo).is_file()
        return _named(photo) is not None or bool(self._unnamed(photo))

    def find(self, photo: Photograph) -> CleanImage:
        """The clean image.

        Raises:
            NoCleanImageError: It was refused, failed, was made from another caption, or is absent.
        """
        if self.run is not None:
            return self._from_run(photo)
        named = _named(photo)
        files = self.folder.candidates(named) if named else self._unnamed(photo)
        if len(files) != 1:
            what = named or f"{photo.ava_id}_clean"
            msg = f"the clean image {what} is {'not there' if not files else 'there twice'}"
            raise NoCleanImageError(msg)
        model = self.model or (AUTHORS_MODEL if named else UNKNOWN_MODEL)
        return CleanImage(path=files[0], model=model)

    def _unnamed(self, photo: Photograph) -> list[Path]:
        of_id = self.folder.candidates(f"{photo.ava_id}_clean")
        return of_id or self.folder.candidates(f"{photo.index}_clean")

    def _from_run(self, photo: Photograph) -> CleanImage:
        try:
            record: Any = json_value(self._record_file(photo).read_bytes())
            status, prompt = record["status"], record["prompt"]
        except (OSError, ValueError, TypeError, KeyError) as error:
            msg = "the record of its clean image is damaged"
            raise NoCleanImageError(msg) from error
        if status != "ok":
            msg = f"its clean image was not made ({status}: {record.get('reason')})"
            raise NoCleanImageError(msg)
        if prompt != photo.clean:
            msg = f"its clean image was made from another caption ({prompt!r:.60})"
            raise NoCleanImageError(msg)
        path = self.path / "images" / f"{photo.index:04d}_original.png"
        model = self.model or str((self.run or {}).get("id", UNKNOWN_MODEL))
        return CleanImage(path=path, model=model)

    def _record_file(self, photo: Photograph) -> Path:
        return self.path / "records" / f"{photo.index:04d}_original.json"


def _named(photo: Photograph) -> str | None:
    return next((c.clean_image for c in photo.captions if c.clean_image), None)


def _manifest(path: Path) -> dict[str, Any] | None:
    """The submission that a run directory was made by; None for any other folder."""
    file = path / "manifest.json"
    if not file.is_file() or not (path / "records").is_dir():
        return None
    try:
        submission = json_value(file.read_bytes())["spec"]["submission"]
    except (OSError, ValueError, TypeError, KeyError) as error:
        msg = f"{file}: is not the manifest of a generator's run. Give a run directory, or images."
        raise InputError(msg) from error
    return dict(submission)
