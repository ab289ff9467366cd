"""Images that are stored in the table itself, and what a table may point at instead."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aas_bench.tables.authors import RENAMED
from aas_bench.tables.forms import Form
from aas_bench.tables.sources import Opened

if TYPE_CHECKING:
    from datasets import Dataset, Features


@dataclass(frozen=True, kw_only=True)
class TrustedPaths:
    """Where an image may lie that is given by its path.

    A table from elsewhere could otherwise show its reader's own files: only the folder of the
    table, the caches of `datasets` and the Hub, and the streamed Hub dataset itself will do.
    """

    folders: tuple[Path, ...]
    hub_id: str | None

    @classmethod
    def of(cls, opened: Opened) -> TrustedPaths:
        """The places that belong to a table."""
        import datasets
        from huggingface_hub import constants

        caches = (
            datasets.config.HF_DATASETS_CACHE,
            datasets.config.DOWNLOADED_DATASETS_PATH,
            constants.HF_HUB_CACHE,
        )
        roots = [*caches, *([opened.root] if opened.root else [])]
        return cls(folders=tuple(Path(r).resolve() for r in roots), hub_id=opened.hub_id)

    def __contains__(self, path: str) -> bool:
        if "://" in path:
            start = f"hf://datasets/{self.hub_id}@"
            return self.hub_id is not None and path.rpartition("::")[2].startswith(start)
        file = Path(path)
        return file.is_absolute() and any(file.resolve().is_relative_to(f) for f in self.folders)


def embedded_images(features: Features, form: Form) -> list[str]:
    """The columns of the table that hold images.

    They are `Image`s, structs of bytes and path, or plain bytes where the form has an image.
    """
    return [
        name
        for name, feature in features.items()
        if is_image(feature) or (_is_bytes(feature) and RENAMED.get(name, name) in form.images)
    ]


def is_image(feature: Any) -> bool:
    """Whether a column holds `Image`s or what they are stored as, structs of bytes and path."""
    from datasets import Image

    struct = isinstance(feature, dict) and set(feature) == {"bytes", "path"}
    return struct or isinstance(feature, Image)


def image_fault(cell: dict[str, Any] | None, trusted: TrustedPaths) -> str | None:
    """What is wrong with an undecoded image, short of its being damaged; None: nothing."""
    if cell is None:
        return "is null"
    if cell["bytes"] is not None:
        return None
    if cell["path"] is None:
        return "has neither bytes nor path"
    if cell["path"] in trusted:
        return None
    return f"has no bytes, and its path {cell['path']!r} is not in the folder of the table"


def table_image_faults(
    data: Dataset, column: str, name: str, trusted: TrustedPaths, *, batch_size: int = 1000
) -> list[str]:
    """`image_fault` of every row, without reading the bytes of the images."""
    import pyarrow.compute as pc

    faults, start = [], 0
    for batch in data.select_columns([column]).with_format("arrow").iter(batch_size):
        for cells in batch[column].chunks:  # never combined: that would copy the images
            for row in pc.indices_nonzero(pc.is_null(pc.struct_field(cells, "bytes"))).to_pylist():
                fault = image_fault(cells[row].as_py(), trusted)
                faults += [f"row {start + row}: {name}: {fault}"] if fault else []
            start += len(cells)
    return faults


def _is_bytes(feature: Any) -> bool:
    return getattr(feature, "dtype", None) in ("binary", "large_binary")
