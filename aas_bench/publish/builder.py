"""`BenchBuilder`: what a dataset script has to say; `build.py` does the rest.

A script names its *items* (what rows are made from: a line of a table, a file name) without
touching pixels, and makes the *rows* of one item. An item is all there or left out.
"""

from __future__ import annotations

import hashlib
import inspect
import warnings
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final

import datasets

from aas_bench.errors import InputError
from aas_bench.files import file_sha256
from aas_bench.tables.images import open_image
from aas_bench.tables.schema import IMAGE_COLUMNS, PAIR_ID, PROMPT_DISTORTED, PROMPT_ORIGINAL
from aas_bench.tasks.task import Task

if TYPE_CHECKING:
    import pandas as pd
    from PIL.Image import Image as PILImage

_FRONT: Final = (*IMAGE_COLUMNS, PROMPT_DISTORTED, PROMPT_ORIGINAL)


class BadItem(Exception):  # noqa: N818 - it is no error of the program: the item is listed as a fault
    """An item that no row can be made of; it is left out, counted and listed.

    Args:
        item: What to call it, e.g. "AVA.txt line 17" or "953958.jpg".
        reason: What is wrong with it, in a few words.
        again: Whether a build that is continued should try it again: a service was out of reach.
    """

    def __init__(self, item: str, reason: str, *, again: bool = False) -> None:
        super().__init__(f"{item}: {reason}")
        self.item, self.reason, self.again = item, reason, again


@dataclass
class BenchConfig(datasets.BuilderConfig):  # type: ignore[misc]
    """A configuration whose fields, made with `option`, are also options of the command line."""

    @classmethod
    def own_fields(cls) -> list[Any]:
        """The dataclass fields beyond those of `datasets.BuilderConfig`."""
        inherited = {f.name for f in fields(datasets.BuilderConfig)}
        return [f for f in fields(cls) if f.name not in inherited]

    def options(self) -> dict[str, Any]:
        """The values of `own_fields` by name."""
        return {f.name: getattr(self, f.name) for f in self.own_fields()}


def option(default: Any, help: str) -> Any:
    """A field of a `BenchConfig` with its sentence for `--help`."""
    return field(default=default, metadata={"help": help})


class BenchBuilder(datasets.GeneratorBasedBuilder):  # type: ignore[misc]
    """Base of the dataset builders in `dataset_scripts/`: one split, `test`.

    A subclass sets the class attributes, gives `_info`, `items` and `rows`. The features come from
    `_info`; it runs when the builder is made, so it may read the columns of a source, not its rows.

    Attributes:
        TASK: Its row in `aas_bench.tasks.catalog`; `TASK.hub_id` is the id on the Hub.
        ITEMS_PER_SHARD: So many items make one Parquet file; aim at 100 to 500 MB.
    """

    TASK: ClassVar[Task]
    ITEMS_PER_SHARD: ClassVar[int] = 1000
    BUILDER_CONFIG_CLASS = BenchConfig

    def unavailable(self) -> str | None:
        """Why this configuration cannot be built from the options given; None: it can."""
        return None

    def described(self, features: Mapping[str, Any]) -> datasets.DatasetInfo:
        """What `_info` gives for these columns: images and prompts first."""
        return datasets.DatasetInfo(
            description=self.__doc__,
            features=for_viewer(datasets.Features(features)),
            homepage=f"https://huggingface.co/datasets/{self.TASK.hub_id}",
            license=self.TASK.licence,
        )

    def items(self) -> Sequence[Any]:
        """What rows are made from: cheap, in a fixed order, picklable, told apart by `repr`."""
        raise NotImplementedError

    def prepared(self, items: Sequence[Any]) -> Generator[Any, None, None]:
        """The items as `rows` takes them, in order; closed early where a build stops.

        A builder that asks a service asks for several items at once here.
        """
        yield from items

    def rows(self, item: Any) -> Iterator[Mapping[str, Any]]:
        """The rows of one item that `prepared` gave.

        An image is `{"bytes": ..., "path": None}`, the path of a file (copied as it is, never
        encoded anew), or a PIL image (stored as PNG).

        Raises:
            BadItem: Leave the item out.
        """
        raise NotImplementedError

    def flags(self, row: Mapping[str, Any]) -> Iterator[str]:
        """What is worth a human's eye in a row that stays."""
        yield from ()

    def key(self, row: Mapping[str, Any]) -> str:
        """What no two rows may share."""
        return str(row[PAIR_ID])

    def origins(self) -> Sequence[str]:
        """What the rows come from, one line each for the card; no path of this machine."""
        return ()

    def facts(self, rows: pd.DataFrame) -> Mapping[str, Any]:
        """What the templates of the card may say besides, as `facts`.

        Args:
            rows: What was built, but for images; class labels by their names.
        """
        return {}

    def fingerprint(self, items: Sequence[Any]) -> str:
        """A hash of what the rows depend on besides options and packages; guards resumption.

        By default the text of the script and the `repr` of every item. What an item only points
        at, such as an image file, is not read.
        """
        digest = hashlib.sha256(Path(inspect.getfile(type(self))).read_bytes())
        for item in items:
            text = repr(item)
            if " object at 0x" in text:
                msg = f"{type(item).__qualname__} has no repr that lasts; make it a dataclass"
                raise TypeError(msg)
            digest.update(text.encode() + b"\n")
        return digest.hexdigest()

    def _split_generators(self, dl_manager: Any) -> list[datasets.SplitGenerator]:
        # A list, so that `num_proc` shares it among processes.
        shared = {"items": list(self.items())}
        return [datasets.SplitGenerator(name=datasets.Split.TEST, gen_kwargs=shared)]

    def _generate_examples(self, items: Sequence[Any]) -> Iterator[tuple[str, dict[str, Any]]]:
        for item in self.prepared(items):
            try:
                rows = [dict(row) for row in self.rows(item)]
            except BadItem as bad:
                warnings.warn(f"left out {bad}", stacklevel=2)
                continue
            for row in rows:
                yield self.key(row), row


def hashed_image(file: Path, name: str) -> tuple[PILImage, str]:
    """The image in a file, and the SHA-256 of the file.

    Raises:
        BadItem: It cannot be read.
    """
    try:
        return open_image(file, name=name), file_sha256(file)
    except (InputError, OSError) as error:
        raise BadItem(name, str(error)) from error


def for_viewer(features: datasets.Features) -> datasets.Features:
    """The same features with images and prompts first: what a reader of the Hub's viewer sees."""
    front = [name for name in _FRONT if name in features]
    rest = [name for name in features if name not in front]
    return datasets.Features({name: features[name] for name in [*front, *rest]})
