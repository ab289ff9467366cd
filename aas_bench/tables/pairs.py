"""`load_pairs`: every published form of a pair table, in the canonical schema.

A table, a stream and a builder read with the same readers: the first collects every fault before
it refuses, the second stops at the first faulty row, the third goes on without it.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any, Final

from aas_bench.errors import InputError, SchemaError, raise_faults
from aas_bench.files import bars_hidden
from aas_bench.tables import authors
from aas_bench.tables.forms import Form, absent_image, known_columns, match_form
from aas_bench.tables.images import TrustedPaths, column_faults, is_image
from aas_bench.tables.open import Opened, Options, Source, open_rows, open_source
from aas_bench.tables.reader import Pair, PairReader, embedded_images, ordered
from aas_bench.tables.schema import (
    FILE_NAME,
    FILE_SHA256,
    IMAGE_COLUMNS,
    IMAGE_DISTORTED,
    PAIR_ID,
    PROMPT_DISTORTED,
    PROMPT_ORIGINAL,
    repeated_pair_id,
    tell_equal_prompts,
)

if TYPE_CHECKING:
    from datasets import Dataset, Features, IterableDataset

    from aas_bench.tables.sample import Sample
    from aas_bench.tables.user_images import OnMissing, UserImages

_NESTED: Final = "images"
_MEND: Final = "Mend these rows, or leave them out."


def load_pairs(
    source: Source,
    *,
    split: str | None = None,
    streaming: bool = False,
    revision: str | None = None,
    limit: int | None = None,
    label: str | None = None,
    config: str | None = None,
    images: str | os.PathLike[str] | None = None,
    on_missing: OnMissing = "raise",
    columns: Mapping[str, str] | None = None,
    sample: int | None = None,
    effect: str | Sequence[str] | None = None,
    dimension: str | Sequence[str] | None = None,
    seed: int = 0,
) -> Dataset | IterableDataset:
    """Load a pair table in the canonical schema (`schema.pair_features`), further columns kept.

    The authors' forms are recognised by their columns: two images and a prompt (their spellings,
    nested scores and lists written as text included), photographs beside clean generations, four
    faces in a row (three pairs each), two generators under a critical prompt, paintings alone
    (`image_original` null). So are public preference sets (`preference_forms.FORMS`: Pick-a-Pic,
    HPD, ImageReward, GenAI-Bench and so on), whose one prompt is `prompt_distorted`. Nested scores
    become flat columns `<reward>_<cell>`, `[mu, sigma]` lists also `<reward>_<cell>_sigma`.
    Where absent, `index` is the row number, `model` "unknown", `pair_id` `<model>/<index:04d>`; a
    label that is not taken from a column `label` is explained in the column `label_source`.

    Images stay encoded until they are read. File names are relative to the folder of the table
    and may not lead out of it, but for the links into `blobs` of a snapshot of the Hub.

    Args:
        source: A task by its name (`aas-bench list tasks`); a table of a kind in
            `formats.TABLE_SUFFIXES`; a folder of images as `folders.folder_table` knows them, with
            `metadata.jsonl` or `metadata.csv`, with `<id>_original.png`, `<id>_distorted.png` or
            `original/`, `distorted/` and one table of prompts, and so on; a `save_to_disk`
            folder; a folder laid out like a Hub dataset, such as a build or a snapshot of the
            Hub's cache; a Hub id `owner/name`, also `owner/name@revision`; files of one,
            `hf://datasets/owner/name/pairs/*.parquet`; or a `Dataset`, an `IterableDataset` or a
            DataFrame of pandas or Polars.
        split: Which split, where there are several.
        streaming: Return an IterableDataset that reads as it goes. Faults then show when their
            row is reached.
        revision: Branch, tag or commit on the Hub.
        limit: At most so many pairs, the first of the table, which may be of one scene: see
            `sample`.
        label: The column that the label is taken from, or "majority" of the LLM judges. Default:
            `label`, else how the pair was built, else the first of `llm_selected`,
            `sec_llm_selected`, `third_llm_selected`, `blip_selected`, else -1.
        config: Which configuration on the Hub. Default: `pairs`, else the dataset's own default.
        images: The folder of your own copy of the images that a table only names. Nested folders
            are searched; case and suffix of the names do not matter. Hashes, and crops of tables
            that are not streamed, are kept in the cache of `huggingface_hub`.
        on_missing: Rows whose image is not in `images`, or is another one: "raise" with a list of
            them, or "drop" them with a warning that says how many are left.
        columns: Their column -> ours, e.g. {"caption": "prompt_distorted"}, for what cannot be
            guessed; case and padding of names do not matter anyway.
        sample: At most so many pairs, spread over scenes (or base prompts) and effects, first
            wordings first. A smaller sample is part of a larger one of the same seed.
        effect: Only pairs of this effect, or of these.
        dimension: Only pairs that ask for this dimension, or for one of these.
        seed: Another one draws another sample.

    Raises:
        InputError: The source does not exist, is gated, or cannot be read; it holds no images and
            `images` is not given; or images are missing from that folder.
        UnknownNameError: A bare word that no task is called.
        SchemaError: The table is of no known form (says what it lacks), or rows are at fault (all
            of them in one message).
        BackendError: The Hub cannot be reached.

    Example:
        >>> from datasets import Dataset
        >>> from PIL import Image
        >>> picture = Image.new("RGB", (8, 8))
        >>> row = {"original_image": picture, "distorted_image": picture}
        >>> row |= {"disorted_long_prompt": "a blurred cat", "selected_dims": "['clarity']"}
        >>> pairs = load_pairs(Dataset.from_list([row]))
        >>> pairs[0]["pair_id"], pairs[0]["prompt_distorted"], pairs[0]["dimensions"]
        ('unknown/0000', 'a blurred cat', ['clarity'])
    """
    if limit is not None and limit < 1:
        msg = f"limit is {limit}. Give at least 1, or None for all."
        raise InputError(msg)
    if on_missing not in ("raise", "drop"):
        msg = f"on_missing is {on_missing!r}. Give 'raise' or 'drop'."
        raise InputError(msg)
    chosen = None
    if sample is not None or effect or dimension:
        from aas_bench.tables.sample import Sample, check_part

        check_part(source, effect, dimension)
        chosen = Sample.chosen(sample, effect, dimension, seed)
    if chosen is not None and (streaming or limit is not None):
        other = "a stream" if streaming else "limit"
        msg = f"{other} and a sample do not go together. Leave out one of the two."
        raise InputError(msg)
    options = Options(config=config, split=split, streaming=streaming, revision=revision)
    with bars_hidden():
        opened = open_source(source, options)
    user_images = None
    if images is not None:
        from aas_bench.tables.user_images import UserImages

        user_images = UserImages(images, on_missing=on_missing, name=opened.name)
    table = recognised(opened, label=label, user_images=user_images, asked=columns)
    with bars_hidden():
        pairs = table.stream(limit) if table.is_streamed else table.collect(limit, chosen)
    pairs.info.download_checksums = opened.data.info.download_checksums  # see `commit_of`
    return pairs


class RowPairs:
    """A pair table of any known form, row by row: a bad row is told apart from its neighbours.

    Args:
        opened: The table, not streamed.
        broken: Line number -> what is wrong with it, for lines that could not become rows.
        label: Which label column to take; see `authors.label_columns`.

    Attributes:
        name: What to call the table.
        form: Its form.
        broken: As given.
        data: Its rows; images undecoded, a struct of them taken apart.
        trusted: Where images may lie that are given by their path.

    Raises:
        SchemaError: The table is of no known form.
    """

    def __init__(
        self, opened: Opened, *, broken: Mapping[int, str] | None = None, label: str | None = None
    ) -> None:
        self._table = recognised(opened, label=label)
        self.name, self.broken = opened.name, dict(broken or {})
        self.form, self.data, self.trusted = self._table.form, self._table.data, _trusted(opened)

    def __len__(self) -> int:
        """How many rows there are, the broken lines not counted."""
        return len(self.data)

    @property
    def features(self) -> Features:
        """The pair columns and the further ones, of every pair."""
        return self._table.features

    def pairs(self, number: int) -> list[Pair]:
        """The pairs of a row, in the canonical schema; images as `{"bytes", "path"}`.

        Raises:
            SchemaError: Something is wrong with the row.
        """
        read = [reader.read_all(self.data[number], number) for reader in self._table.readers]
        faults = [fault for _, faults in read for fault in faults]
        if faults:
            msg = f"{'; '.join(dict.fromkeys(faults))}. Mend the row."
            raise SchemaError(msg)
        return [pair for pair, _ in read]


def open_row_pairs(source: str | os.PathLike[str], *, label: str | None = None) -> RowPairs:
    """Open a pair table for reading row by row.

    Of JSON lines, and of a folder with `metadata.jsonl`, lines that are no JSON objects are left
    out and told in `broken`; every other source must be readable as a whole.

    Args:
        source: What `load_pairs` takes.
        label: Which label column to take.

    Raises:
        InputError: The source does not exist, is empty or cannot be read.
        SchemaError: It is of no known form.
        BackendError: The Hub cannot be reached.
    """
    opened, broken = open_rows(source)
    return RowPairs(opened, broken=broken, label=label)


@dataclass(frozen=True, kw_only=True)
class PairTable:
    """A table whose form is known.

    Attributes:
        data: Its rows; images undecoded, a struct of them taken apart.
        name: What to call it.
        form: Its form.
        readers: One for each pair of a row.
        trusted: Where its images may lie.
        user_images: The images that it only names, where they are to be added.
        origins: What the columns of `data` are made of at the source.
        kind: What the form is called.
    """

    data: Any
    name: str
    form: Form
    readers: tuple[PairReader, ...]
    trusted: TrustedPaths
    user_images: UserImages | None
    origins: authors.Origins
    kind: str

    @property
    def is_streamed(self) -> bool:
        """Whether it is read as it goes."""
        from datasets import IterableDataset

        return isinstance(self.data, IterableDataset)

    @property
    def features(self) -> Features:
        """The columns of the pairs, in their order."""
        from datasets import Features

        first = self.readers[0]
        shown = [*first.images.values(), *([IMAGE_DISTORTED] if self.user_images else [])]
        types = {**first.features, **dict.fromkeys(shown, _image(decode=True))}
        return Features({name: types[name] for name in ordered(types)})

    def sources(self) -> authors.Origins:
        """What the columns of the pairs are made of at the source."""
        made: authors.Origins = {}
        for reader in self.readers:
            for name, theirs in reader.sources().items():
                made[name] = tuple(dict.fromkeys((*made.get(name, ()), *theirs)))
        return authors.traced(made, self.origins)

    def collect(self, limit: int | None, sample: Sample | None = None) -> Dataset:
        """The pairs of a table in memory or on disk."""
        from datasets import interleave_datasets

        pairs = [self._collect(reader) for reader in self.readers]
        whole = pairs[0]
        if len(pairs) > 1:
            whole = interleave_datasets(
                pairs, stopping_strategy="all_exhausted_without_replacement"
            )
        if limit is not None:
            whole = whole.select(range(min(limit, len(whole))))
        if sample is not None:
            whole = sample.of(whole)
        if self.user_images is not None:
            whole = self.user_images.join(whole)
        return whole.select_columns(ordered(whole.column_names))

    def _collect(self, reader: PairReader) -> Dataset:
        """One pair of each row: only the small columns are written anew, images stay in place."""
        from datasets import concatenate_datasets

        faults: list[str] = []

        def read(row: Mapping[str, Any], number: int) -> Pair:
            pair, bad = reader.read(row, number)
            faults.extend(bad)
            return pair

        rows = self.data.remove_columns(embedded_images(self.data.features, self.form))
        # Never from the cache: its key does not cover the code that the reader calls.
        rows = rows.map(
            read,
            with_indices=True,
            remove_columns=rows.column_names,
            features=reader.features,
            load_from_cache_file=False,
            desc=f"Reading {self.name}",
        )
        for theirs, ours in reader.images.items():
            bad = column_faults(self.data, theirs, self.trusted)
            faults += [f"row {number}: {ours}: {fault}" for number, fault in bad]
        column = rows.data.column  # mapped from the disk, as `map` wrote it
        raise_faults(self.name, [*faults, *repeated_pair_id(column(PAIR_ID))], _MEND)
        tell_equal_prompts(self.name, column(PROMPT_ORIGINAL), column(PROMPT_DISTORTED))
        if reader.images:
            images = self.data.select_columns(list(reader.images)).rename_columns(reader.images)
            rows = concatenate_datasets([rows, images], axis=1)
        for name in reader.images.values():
            rows = rows.cast_column(name, _image(decode=True))
        return rows

    def stream(self, limit: int | None) -> IterableDataset:
        """The pairs of a streamed table."""
        data = self.data
        if limit is not None and self.user_images is not None:
            data = data.take(limit)  # no image of a further row is asked for
        pairs = data.map(
            _StreamedRow(self.name, self.readers, self.user_images),
            with_indices=True,
            batched=True,  # a row may hold several pairs
            batch_size=1,
            remove_columns=list(data.features),
        )
        # Not `features=` in map: images of rows that are typed there would never be decoded.
        pairs = pairs.cast(self.features)
        return pairs if limit is None else pairs.take(limit)


class _StreamedRow:
    """A batch of one row -> its pairs with their images; checks also what needs other rows."""

    def __init__(
        self, name: str, readers: tuple[PairReader, ...], user_images: UserImages | None
    ) -> None:
        self.name, self.readers, self.user_images = name, readers, user_images
        self.seen: set[str] = set()
        self.told = False

    def __call__(self, batch: Mapping[str, list[Any]], numbers: list[int]) -> dict[str, list[Any]]:
        (number,) = numbers
        if number == 0:  # a new pass over the table
            self.seen.clear()
            self.told = False
        row = {name: values[0] for name, values in batch.items()}
        read = [reader.read_all(row, number) for reader in self.readers]
        faults = list(chain.from_iterable(bad for _, bad in read))
        for pair_id in (pair[PAIR_ID] for pair, _ in read):
            if pair_id in self.seen:
                faults.append(f"row {number}: {PAIR_ID} {pair_id!r} stands twice")
            self.seen.add(pair_id)
        raise_faults(self.name, faults, _MEND)
        pairs = [pair for pair, _ in read]
        asked = [(pair[PROMPT_ORIGINAL], pair[PROMPT_DISTORTED]) for pair in pairs]
        if not self.told and any(one and one == other for one, other in asked):
            self.told = True  # once a pass
            warnings.warn(
                f"{self.name}: row {number}: {PROMPT_ORIGINAL} and {PROMPT_DISTORTED} are the same "
                "text. Leave such rows out.",
                stacklevel=2,
            )
        names = list(pairs[0])
        if self.user_images is not None:
            names.append(IMAGE_DISTORTED)
            cells = [self.user_images.cell(pair) for pair in pairs]
            pairs = [
                pair | {IMAGE_DISTORTED: cell}
                for pair, cell in zip(pairs, cells, strict=True)
                if cell is not None
            ]
        return {name: [pair[name] for pair in pairs] for name in names}


def recognised(
    opened: Opened,
    *,
    label: str | None,
    user_images: UserImages | None = None,
    asked: Mapping[str, str] | None = None,
) -> PairTable:
    """The table with its form and the readers of its pairs.

    Raises:
        InputError: It does not hold its images and `user_images` is None, or the other way round.
        SchemaError: It is of no known form, or cannot be read as `label` asks.
    """
    from datasets import IterableDataset

    data: Any = opened.data
    if isinstance(data, IterableDataset):
        # A stream of an image folder decodes in its own threads: a cast would come too late.
        data = data._resolve_features().decode(False)
    origins: authors.Origins = {n: (opened.theirs.get(n, n),) for n in data.features}
    data, origins = _renamed(data, origins, authors.named(list(data.features), asked))
    tidy = authors.tidied(list(data.features), known_columns())
    data, origins = _renamed(data, origins, tidy)
    kind = None
    if not {*IMAGE_COLUMNS} & {*data.features}:
        from aas_bench.tables.preference_forms import as_pairs, preference_form, sources

        preference = preference_form(data.features)
        data = as_pairs(data, opened.name, opened.root)
        if preference is not None:
            kind = preference[0].name
            origins |= authors.traced(sources(*preference), origins)
    columns = [*data.features, *_nested(data.features)]
    absent = absent_image(columns)
    if absent is not None and user_images is None:
        raise _not_distributed(opened.name)
    if absent is None and user_images is not None:
        raise _nothing_absent(opened.name)
    form = match_form([*columns, *([absent] if absent else [])], opened.name)
    if any("." in name for name in form.images):
        data = _unnest(data)
    for name in embedded_images(data.features, form):
        data = data.cast_column(name, _image(decode=False))
    trusted = _trusted(opened)
    try:
        readers = tuple(
            PairReader(data.features, form, c, label=label, folder=opened.root, trusted=trusted)
            for c in form.pair_columns
        )
    except SchemaError as error:
        msg = f"{opened.name}: {error}"
        raise SchemaError(msg) from error
    return PairTable(
        data=data,
        name=opened.name,
        form=form,
        readers=readers,
        trusted=trusted,
        user_images=user_images,
        origins=origins,
        kind=kind or form.name,
    )


def _renamed(
    data: Any, origins: authors.Origins, names: Mapping[str, str]
) -> tuple[Any, authors.Origins]:
    """The table with other names, and what its columns are made of."""
    return data.rename_columns(names) if names else data, authors.renamed(origins, names)


def _trusted(opened: Opened) -> TrustedPaths:
    return TrustedPaths.of(opened.root, opened.hub_id)


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


def _not_distributed(name: str) -> InputError:
    """The error for a table without pixels that nobody completed."""
    return InputError(
        f"{name} names its images but does not hold them: they may not be redistributed. Give the "
        "folder of your own copy with images=FOLDER (--images FOLDER); its card says where to get "
        "one. The scores in the table need no images: aas-bench analyse."
    )


def _nothing_absent(name: str) -> InputError:
    """The error for a folder of images that a table has no use for."""
    return InputError(
        f"{name} does not ask for images of your own: it holds its images, or lacks the columns "
        f"{FILE_NAME} and {FILE_SHA256}. Leave out images (--images)."
    )
