"""Pair tables as files, and load_pairs both ways."""

import json

from datasets import Image
from support import author_tables, toy_pairs

from aas_bench.tables.pairs import load_pairs
from aas_bench.tables.schema import PAIR_COLUMNS, pair_features


def undecoded(pairs):
    """The rows, images as they are stored."""
    for name, feature in pairs.features.items():
        if isinstance(feature, Image):
            pairs = pairs.cast_column(name, Image(decode=False))
    return list(pairs)


def both_ways(source, **options):
    """The table, after checking that it streams to the same rows and features."""
    table = load_pairs(source, **options)
    streamed = load_pairs(source, streaming=True, **options)
    assert streamed.features == table.features
    assert undecoded(streamed) == undecoded(table)
    first, again = next(iter(streamed)), table[0]
    for name in ("image_original", "image_distorted"):
        if again[name] is not None:
            assert again[name].tobytes() == first[name].tobytes()
    canonical = pair_features()
    assert list(table.features)[: len(canonical)] == list(PAIR_COLUMNS)
    assert all(table.features[name] == feature for name, feature in canonical.items())
    return table


def canonical_rows(n=4):
    return list(toy_pairs.rows(n_prompts=n, generators=("one", "two")))


def with_files(folder, rows):
    """The rows with file names for images, the files in the folder."""
    named = []
    for i, row in enumerate(rows):
        files = {n: f"img/{i}_{n}.png" for n in author_tables.image_columns(row)}
        for name, file in files.items():
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            (folder / file).write_bytes(row[name]["bytes"])
        named.append(row | files)
    return named


def write_lines(file, rows):
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return file


def without_images(rows):
    return [{n: v for n, v in r.items() if not n.startswith("image_")} for r in rows]
