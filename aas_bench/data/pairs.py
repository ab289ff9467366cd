"""`load_pairs`: every published form of a pair table, in the canonical schema."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

from aas_bench.data.convert import RowConverter, row_converter
from aas_bench.data.embedded import (
    TrustedPaths,
    embedded_images,
    image_fault,
    table_image_faults,
)
from aas_bench.data.forms import Form, View, match_form
from aas_bench.data.schema import IMAGE_COLUMNS, PAIR_COLUMNS, PAIR_ID
from aas_bench.data.sources import Opened, Options, open_source
from aas_bench.data.tables import raise_faults
from aas_bench.errors import InputError

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
        source: "counterfactual" or another task (`aas-bench list tasks`); a Parquet, JSONL, JSON
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

    Raises:
        InputError: The source does not exist, is gated, or cannot be read.
        UnknownNameError: A bare word that no task is called.
        SchemaError: The table is of no known form (says what it lacks), or rows are at fault (all
            of them in one message).
        BackendError: The Hub cannot be reached.
    """
    if limit is not None and limit < 1:
        msg = f"limit is {limit}. Give at least 1, or None for all."
        raise InputError(msg)
    options = Options(config=config, split=split, streaming=streaming, revision=revision)
    pairs = canonical_pairs(open_source(source, options), label=label)
    if limit is None:
        return pairs
    return pairs.take(limit) if streaming else pairs.select(range(min(limit, len(pairs))))


def canonical_pairs(opened: Opened, *, label: str | None = None) -> Dataset | IterableDataset:
    """Bring an opened table into the canonical schema; see `load_pairs`."""
    from datasets import IterableDataset, interleave_datasets

    data = opened.data
    if isinstance(data, IterableDataset) and data.features is None:
        data = data._resolve_features()
    form = match_form([*data.features, *_nested(data.features)], opened.name)
    if any("." in name for name in form.images):
        data = _unnest(data)
    embedded = embedded_images(data.features, form)
    for name in embedded:
        data = data.cast_column(name, _image(decode=False))
    see = _stream if isinstance(data, IterableDataset) else _table
    views = [see(data, opened, form, view, embedded, label) for view in form.views]
    if len(views) == 1:
        return views[0]
    return interleave_datasets(views, stopping_strategy="all_exhausted_without_replacement")


def _table(
    data: Dataset, opened: Opened, form: Form, view: View, embedded: list[str], label: str | None
) -> Dataset:
    """A table in memory or on disk: only its small columns are rewritten, images stay in place."""
    from datasets import concatenate_datasets

    faults: list[str] = []
    images, skip = _places(view, form, embedded)
    rows = data.remove_columns(embedded)
    converter = row_converter(
        rows.features, view=view, skip=skip, label=label, root=opened.root, faults=faults
    )
    # Never from the cache: its key does not cover the code that the converter calls.
    rows = rows.map(
        converter,
        with_indices=True,
        remove_columns=rows.column_names,
        features=converter.features,
        load_from_cache_file=False,
        desc=f"Reading {opened.name}",
    )
    trusted = TrustedPaths.of(opened)
    for theirs, ours in images.items():
        faults += table_image_faults(data, theirs, ours, trusted)
    raise_faults(opened.name, [*faults, *_duplicates(rows[PAIR_ID])], _MEND)
    if images:
        pictures = data.select_columns(list(images)).rename_columns(images)
        rows = concatenate_datasets([rows, pictures], axis=1)
    for name in images.values():
        rows = rows.cast_column(name, _image(decode=True))
    return rows.select_columns(_order(rows.column_names))


def _stream(
    data: IterableDataset,
    opened: Opened,
    form: Form,
    view: View,
    embedded: list[str],
    label: str | None,
) -> IterableDataset:
    from datasets import Features

    images, skip = _places(view, form, embedded)
    converter = row_converter(
        data.features, view=view, skip=skip, label=label, root=opened.root, faults=None
    )
    types = {**converter.features, **dict.fromkeys(images.values(), _image(decode=True))}
    rows = data.map(
        _StreamedRow(converter, images, TrustedPaths.of(opened)),
        with_indices=True,
        remove_columns=list(data.features),
    )
    # Not `features=` in map: images of rows that are typed there would never be decoded.
    return rows.cast(Features({name: types[name] for name in _order(types)}))


class _StreamedRow:
    """Converts a row with its images, and checks what needs more than the row."""

    def __init__(
        self, convert: RowConverter, images: Mapping[str, str], trusted: TrustedPaths
    ) -> None:
        self.convert, self.images, self.trusted = convert, images, trusted
        self.seen: set[str] = set()

    def __call__(self, row: dict[str, Any], number: int) -> dict[str, Any]:
        out = self.convert(row, number)
        if number == 0:  # a new pass over the table
            self.seen.clear()
        faults = [f"pair_id {out[PAIR_ID]!r} stands twice"] if out[PAIR_ID] in self.seen else []
        self.seen.add(out[PAIR_ID])
        for theirs, ours in self.images.items():
            out[ours] = row[theirs]
            fault = image_fault(row[theirs], self.trusted)
            faults += [f"{ours}: {fault}"] if fault else []
        raise_faults(f"row {number}", faults, _MEND)
        return out


def _places(view: View, form: Form, embedded: list[str]) -> tuple[dict[str, str], set[str]]:
    """Embedded image column -> its name in the pairs, and the columns that are not converted."""
    ours = view.renames([*form.images, *embedded])
    other = {n for n in form.images if ours.get(n, n) not in IMAGE_COLUMNS}
    images = {n: ours.get(n, n) for n in embedded if n not in other}
    return images, {*embedded, *other}


def _order(columns: Iterable[str]) -> list[str]:
    names = list(columns)
    return [n for n in PAIR_COLUMNS if n in names] + [n for n in names if n not in PAIR_COLUMNS]


def _image(*, decode: bool) -> Any:
    from datasets import Image

    return Image(decode=decode)


def _undecoded(feature: Any) -> Any:
    return _image(decode=False) if hasattr(feature, "decode") else feature


def _nested(features: Features) -> list[str]:
    """Fields of a struct of images, by dotted name."""
    fields = features.get(_NESTED)
    return [f"{_NESTED}.{name}" for name in fields] if isinstance(fields, dict) else []


def _unnest(data: Any) -> Any:
    """The fields of the struct of images as columns."""
    from datasets import Features, IterableDataset, concatenate_datasets

    if not isinstance(data, IterableDataset):
        flat = data.select_columns([_NESTED]).flatten()
        return concatenate_datasets([data.remove_columns([_NESTED]), flat], axis=1)
    fields = {name: _undecoded(inner) for name, inner in data.features[_NESTED].items()}
    types = {name: feature for name, feature in data.features.items() if name != _NESTED}
    types |= {f"{_NESTED}.{name}": inner for name, inner in fields.items()}
    return data.cast_column(_NESTED, fields).map(
        _fields, remove_columns=[_NESTED], features=Features(types)
    )


def _fields(row: dict[str, Any]) -> dict[str, Any]:
    return {f"{_NESTED}.{name}": value for name, value in row[_NESTED].items()}


def _duplicates(pair_ids: Iterable[Any]) -> list[str]:
    seen: dict[str, int] = {}
    for row, pair_id in enumerate(pair_ids):
        if pair_id is not None and pair_id in seen:
            return [f"{PAIR_ID} {pair_id!r} stands in rows {seen[pair_id]} and {row}"]
        seen[pair_id] = row
    return []
