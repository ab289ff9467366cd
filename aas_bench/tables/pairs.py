"""`load_pairs`: every published form of a pair table, in the canonical schema."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from aas_bench.errors import InputError, SchemaError
from aas_bench.tables.convert import RowConverter, row_converter
from aas_bench.tables.embedded import (
    TrustedPaths,
    embedded_images,
    image_fault,
    is_image,
    table_image_faults,
)
from aas_bench.tables.forms import Form, View, match_form
from aas_bench.tables.own_images import (
    OnMissing,
    OwnImages,
    absent_image,
    not_distributed,
    nothing_absent,
)
from aas_bench.tables.schema import IMAGE_COLUMNS, IMAGE_DISTORTED, PAIR_COLUMNS, PAIR_ID
from aas_bench.tables.sources import Opened, Options, open_source
from aas_bench.tables.tables import raise_faults

if TYPE_CHECKING:
    from datasets import Dataset, Features, IterableDataset

_NESTED: Final = "images"
_MEND: Final = "Mend these rows, or leave them out."


def load_pairs(
    source: str | os.PathLike[str],
    *,
    split: str | None = None,
    streaming: bool = False,
    revision: str | None = None,
    limit: int | None = None,
    label: str | None = None,
    config: str | None = None,
    images: str | os.PathLike[str] | None = None,
    on_missing: OnMissing = "raise",
) -> Dataset | IterableDataset:
    """Load a pair table in the canonical schema (`schema.pair_features`), further columns kept.

    The authors' forms are recognised by their columns: two images and a prompt (their spellings,
    nested scores and lists written as text included), photographs beside clean generations, four
    faces in a row (three pairs each), two generators under a critical prompt, paintings alone
    (`image_original` null). Nested scores become flat columns `<reward>_<cell>`, `[mu, sigma]`
    lists also `<reward>_<cell>_sigma`. Where absent, `index` is the row number, `model`
    "unknown", `pair_id` `<model>/<index:04d>`; a label that is not taken from a column `label`
    is explained in the column `label_source`.

    Images stay encoded until they are read. File names are relative to the folder of the table
    and may not lead out of it.

    Args:
        source: A task by its name (`aas-bench list tasks`); a Parquet, JSONL, JSON
            or CSV table; a folder of images with `metadata.jsonl` or `metadata.csv`, or with
            `<id>_original.png`, `<id>_distorted.png` and one table of prompts; a `save_to_disk`
            folder; a folder laid out like a Hub dataset; or a Hub id `owner/name`.
        split: Which split, where there are several.
        streaming: Return an IterableDataset that reads as it goes. Faults then show when their
            row is reached.
        revision: Branch, tag or commit on the Hub.
        limit: At most so many pairs, the first.
        label: The column that the label is taken from, or "majority" of the LLM judges. Default:
            `label`, else how the pair was built, else the first of `llm_selected`,
            `sec_llm_selected`, `third_llm_selected`, `blip_selected`, else -1.
        config: Which configuration on the Hub. Default: `pairs`, else the dataset's own default.
        images: The folder of your own copy of the images that a table only names. Nested folders
            are searched; case and suffix of the names do not matter. Hashes, and crops of tables
            that are not streamed, are kept in the cache of `huggingface_hub`.
        on_missing: Rows whose image is not in `images`, or is another one: "raise" with a list of
            them, or "drop" them with a warning that says how many are left.

    Raises:
        InputError: The source does not exist, is gated, or cannot be read; it holds no images and
            `images` is not given; or images are missing from that folder.
        UnknownNameError: A bare word that no task is called.
        SchemaError: The table is of no known form (says what it lacks), or rows are at fault (all
            of them in one message).
        BackendError: The Hub cannot be reached.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> from datasets import Dataset
        >>> from PIL import Image
        >>> picture = Image.new("RGB", (8, 8))
        >>> row = {"original_image": picture, "distorted_image": picture}
        >>> row |= {"disorted_long_prompt": "a blurred cat", "selected_dims": "['clarity']"}
        >>> with TemporaryDirectory() as folder:
        ...     written = Dataset.from_list([row]).to_parquet(f"{folder}/pairs.parquet")
        ...     pair = load_pairs(f"{folder}/pairs.parquet")[0]
        >>> pair["pair_id"], pair["prompt_distorted"], pair["dimensions"]
        ('unknown/0000', 'a blurred cat', ['clarity'])
    """
    if limit is not None and limit < 1:
        msg = f"limit is {limit}. Give at least 1, or None for all."
        raise InputError(msg)
    options = Options(config=config, split=split, streaming=streaming, revision=revision)
    opened = open_source(source, options)
    own = None if images is None else OwnImages(images, on_missing=on_missing, name=opened.name)
    return canonical_pairs(opened, label=label, own=own, limit=limit)


def canonical_pairs(
    opened: Opened,
    *,
    label: str | None = None,
    own: OwnImages | None = None,
    limit: int | None = None,
) -> Dataset | IterableDataset:
    """Bring an opened table into the canonical schema; see `load_pairs`."""
    from datasets import IterableDataset

    data = opened.data
    if isinstance(data, IterableDataset):
        # A stream of an image folder decodes in its own threads: a cast would come too late.
        data = data._resolve_features().decode(False)
    columns = [*data.features, *_nested(data.features)]
    absent = absent_image(columns)
    if absent is not None and own is None:
        raise not_distributed(opened.name)
    if absent is None and own is not None:
        raise nothing_absent(opened.name)
    form = match_form([*columns, *([absent] if absent else [])], opened.name)
    if any("." in name for name in form.images):
        data = _unnest(data)
    embedded = embedded_images(data.features, form)
    for name in embedded:
        data = data.cast_column(name, _image(decode=False))
    reading = _Reading(
        data=data, opened=opened, form=form, embedded=frozenset(embedded), label=label, own=own
    )
    if not isinstance(data, IterableDataset):
        return _completed(reading.table(), own, limit)
    if limit is None:
        return reading.stream()
    if own is not None:  # no image of a further row is asked for
        return replace(reading, data=data.take(limit)).stream()
    return reading.stream().take(limit)


def _completed(pairs: Dataset, own: OwnImages | None, limit: int | None) -> Dataset:
    """The first pairs, with the reader's own images."""
    if limit is not None:
        pairs = pairs.select(range(min(limit, len(pairs))))
    if own is None:
        return pairs
    pairs = own.join(pairs)
    return pairs.select_columns(_order(pairs.column_names))


@dataclass(frozen=True, kw_only=True)
class _Reading:
    """A table whose form is known.

    Attributes:
        data: Its rows; images undecoded.
        opened: Where it comes from.
        form: Its form.
        embedded: Its columns of embedded images.
        label: Which label column was asked for.
        own: The reader's own images, for a table that only names them.
    """

    data: Any
    opened: Opened
    form: Form
    embedded: frozenset[str]
    label: str | None
    own: OwnImages | None

    def table(self) -> Dataset:
        """The pairs of a table in memory or on disk."""
        from datasets import interleave_datasets

        views = [self._view(view) for view in self.form.views]
        if len(views) == 1:
            return views[0]
        pairs = interleave_datasets(views, stopping_strategy="all_exhausted_without_replacement")
        return pairs.select_columns(views[0].column_names)

    def _view(self, view: View) -> Dataset:
        """One pair of each row: only the small columns are written anew, images stay in place."""
        from datasets import concatenate_datasets

        faults: list[str] = []
        converter, images = self._plan(view, faults)
        rows = self.data.remove_columns(sorted(self.embedded))
        # Never from the cache: its key does not cover the code that the converter calls.
        rows = rows.map(
            converter,
            with_indices=True,
            remove_columns=rows.column_names,
            features=converter.features,
            load_from_cache_file=False,
            desc=f"Reading {self.opened.name}",
        )
        trusted = TrustedPaths.of(self.opened)
        for theirs, ours in images.items():
            faults += table_image_faults(self.data, theirs, ours, trusted)
        raise_faults(self.opened.name, [*faults, *_duplicates(rows[PAIR_ID])], _MEND)
        if images:
            pictures = self.data.select_columns(list(images)).rename_columns(images)
            rows = concatenate_datasets([rows, pictures], axis=1)
        for name in images.values():
            rows = rows.cast_column(name, _image(decode=True))
        return rows.select_columns(_order(rows.column_names))

    def stream(self) -> IterableDataset:
        """The pairs of a streamed table."""
        from datasets import Features

        plans = [self._plan(view, None) for view in self.form.views]
        converter, images = plans[0]
        shown = [*images.values(), *([] if self.own is None else [IMAGE_DISTORTED])]
        types = {**converter.features, **dict.fromkeys(shown, _image(decode=True))}
        pairs = self.data.map(
            _StreamedRow(plans, self.opened, self.own),
            with_indices=True,
            batched=True,  # a row may hold several pairs
            batch_size=1,
            remove_columns=list(self.data.features),
        )
        # Not `features=` in map: images of rows that are typed there would never be decoded.
        return pairs.cast(Features({name: types[name] for name in _order(types)}))

    def _plan(self, view: View, faults: list[str] | None) -> tuple[RowConverter, dict[str, str]]:
        """The converter, and embedded image column -> its name in the pairs."""
        ours = view.renames(self.data.features)
        other = {n for n in self.form.images if ours.get(n, n) not in IMAGE_COLUMNS}
        images = {n: ours.get(n, n) for n in self.data.features if n in self.embedded - other}
        try:
            converter = row_converter(
                self.data.features,
                view=view,
                skip=self.embedded | other,
                label=self.label,
                root=self.opened.root,
                faults=faults,
            )
        except SchemaError as error:
            msg = f"{self.opened.name}: {error}"
            raise SchemaError(msg) from error
        return converter, images


class _StreamedRow:
    """A batch of one row -> its pairs with their images; checks also what needs other rows."""

    def __init__(
        self,
        plans: list[tuple[RowConverter, dict[str, str]]],
        opened: Opened,
        own: OwnImages | None,
    ) -> None:
        self.plans, self.name, self.trusted = plans, opened.name, TrustedPaths.of(opened)
        self.own = own
        self.seen: set[str] = set()

    def __call__(self, batch: Mapping[str, list[Any]], numbers: list[int]) -> dict[str, list[Any]]:
        (number,) = numbers
        if number == 0:  # a new pass over the table
            self.seen.clear()
        row = {name: values[0] for name, values in batch.items()}
        pairs = [self._pair(convert, images, row, number) for convert, images in self.plans]
        names = list(pairs[0])
        if self.own is not None:
            names.append(IMAGE_DISTORTED)
            pairs = [
                pair | {IMAGE_DISTORTED: cell}
                for pair in pairs
                if (cell := self.own.cell(pair)) is not None
            ]
        return {name: [pair[name] for pair in pairs] for name in names}

    def _pair(
        self, convert: RowConverter, images: Mapping[str, str], row: Mapping[str, Any], number: int
    ) -> dict[str, Any]:
        pair = convert(row, number)
        faults = [f"{PAIR_ID} {pair[PAIR_ID]!r} stands twice"] * (pair[PAIR_ID] in self.seen)
        self.seen.add(pair[PAIR_ID])
        for theirs, ours in images.items():
            pair[ours] = row[theirs]
            fault = image_fault(row[theirs], self.trusted)
            faults += [f"{ours}: {fault}"] if fault else []
        raise_faults(self.name, [f"row {number}: {fault}" for fault in faults], _MEND)
        return pair


def _order(columns: Iterable[str]) -> list[str]:
    names = list(columns)
    return [n for n in PAIR_COLUMNS if n in names] + [n for n in names if n not in PAIR_COLUMNS]


def _image(*, decode: bool) -> Any:
    from datasets import Image

    return Image(decode=decode)


def _nested(features: Features) -> list[str]:
    """Fields of a struct of images, by dotted name."""
    fields = features.get(_NESTED)
    return [f"{_NESTED}.{name}" for name in fields] if isinstance(fields, dict) else []


def _unnest(data: Any) -> Any:
    """The fields of the struct of images as columns."""
    from datasets import Features, IterableDataset, concatenate_datasets

    streamed = isinstance(data, IterableDataset)
    fields = {
        name: _image(decode=not streamed) if is_image(inner) else inner
        for name, inner in data.features[_NESTED].items()
    }
    types = {name: feature for name, feature in data.features.items() if name != _NESTED}
    types |= {f"{_NESTED}.{name}": inner for name, inner in fields.items()}
    data = data.cast_column(_NESTED, fields)
    if not streamed:  # flatten would also take undecoded images apart
        flat = data.select_columns([_NESTED]).flatten()
        return concatenate_datasets([data.remove_columns([_NESTED]), flat], axis=1)
    return data.map(_fields, remove_columns=[_NESTED], features=Features(types))


def _fields(row: dict[str, Any]) -> dict[str, Any]:
    return {f"{_NESTED}.{name}": value for name, value in row[_NESTED].items()}


def _duplicates(pair_ids: Iterable[Any]) -> list[str]:
    seen: dict[str, int] = {}
    for row, pair_id in enumerate(pair_ids):
        if pair_id is not None and pair_id in seen:
            return [f"{PAIR_ID} {pair_id!r} stands in rows {seen[pair_id]} and {row}"]
        seen[pair_id] = row
    return []
