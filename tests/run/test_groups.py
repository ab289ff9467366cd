"""Groups of rows: every row once, in order, and as many new images as fit."""

import io

import pytest
from datasets import Dataset, Features, Image, concatenate_datasets
from hypothesis import given
from hypothesis import strategies as st
from support.toy_pairs import dataset, picture, png, rows

from aas_bench.errors import SchemaError
from aas_bench.run.groups import PairRow, UndecodedImage, UndecodedPairs, row_groups


def image(key):
    return UndecodedImage(key=str(key), struct={"bytes": b"", "path": None})


def row(original, distorted):
    return PairRow(original=image(original), distorted=image(distorted), values={})


keys = st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12)), min_size=1, max_size=40)


@given(keys=keys, capacity=st.integers(2, 9))
def test_groups(keys, capacity):
    table = [row(*pair) for pair in keys]
    groups = list(row_groups(table, part=3, capacity=capacity))
    assert [r for group in groups for r in group.rows] == table
    assert [group.number for group in groups] == list(range(len(groups)))
    assert [group.last for group in groups] == [False] * (len(groups) - 1) + [True]
    assert {group.part for group in groups} == {3}
    seen = set()
    for group, following in zip(groups, [*groups[1:], None], strict=True):
        new = set(group.images()) - seen
        assert len(new) <= capacity
        seen |= new
        if following is not None:
            first = following.rows[0]
            assert len(new | ({first.original.key, first.distorted.key} - seen)) > capacity


def test_no_rows_make_no_group():
    assert list(row_groups([], part=0, capacity=4)) == []


def test_equal_bytes_are_one_image():
    table = list(rows(n_prompts=2, generators=("one",)))
    table[1]["image_distorted"] = dict(table[0]["image_original"])
    first, second = UndecodedPairs(dataset(table)).read(0, 2)
    assert first.original.key == second.distorted.key
    assert first.original.key != first.distorted.key


def test_an_image_on_disk_is_known_by_its_content(tmp_path):
    (tmp_path / "a.png").write_bytes(png(picture(0)))
    table = list(rows(n_prompts=1, generators=("one",)))
    table[0]["image_original"] = {"bytes": None, "path": str(tmp_path / "a.png")}
    table[0]["image_distorted"] = {"bytes": png(picture(0)), "path": None}
    [found] = UndecodedPairs(dataset(table)).read(0, 1)
    assert found.original.key == found.distorted.key
    (tmp_path / "a.png").unlink()
    [absent] = UndecodedPairs(dataset(table)).read(0, 1)
    assert absent.original.key == f"path:{tmp_path / 'a.png'}"


def test_the_fingerprint_is_of_the_content():
    one, same = (UndecodedPairs(dataset(rows())).fingerprint() for _ in range(2))
    assert one == same
    backwards = dataset(rows()).select(range(14, -1, -1))
    assert UndecodedPairs(backwards).fingerprint() != one
    assert UndecodedPairs(backwards.select(range(14, -1, -1))).fingerprint() == one


def fingerprint(table):
    return UndecodedPairs(dataset(table)).fingerprint()


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP"])
@pytest.mark.parametrize("stored", ["embedded", "on disk"])
def test_the_fingerprint_tells_an_image_that_was_saved_again_at_the_same_size(
    form, stored, tmp_path
):
    """One pixel changes; the file is padded, so that neither name nor size tells."""
    contents = []
    for pixel in ((0, 0, 0), (255, 255, 255)):
        image, file = picture(0, size=(64, 64)), io.BytesIO()
        image.putpixel((0, 0), pixel)
        image.save(file, form, quality=90)
        contents.append(file.getvalue())
    size = max(map(len, contents))
    prints = []
    for content in (contents[0], contents[0], contents[1]):
        table, padded = list(rows()), content.ljust(size, b"\0")
        (tmp_path / "a.png").write_bytes(padded)
        path = str(tmp_path / "a.png")
        on_disk = {"bytes": None, "path": path}
        embedded = {"bytes": padded, "path": "a.png"}
        table[3]["image_original"] = on_disk if stored == "on disk" else embedded
        prints.append(fingerprint(table))
    assert prints[0] == prints[1] != prints[2]


def test_the_fingerprint_of_an_image_that_is_not_there(tmp_path):
    table = list(rows())
    table[0]["image_original"] = {"bytes": None, "path": str(tmp_path / "none.png")}
    absent = fingerprint(table)
    table[0]["image_original"] = None
    assert absent != fingerprint(table)


def test_the_fingerprint_does_not_hang_on_how_the_table_is_cut():
    parts = [dataset(rows()).select(range(start, start + 5)) for start in (0, 5, 10)]
    whole = UndecodedPairs(dataset(rows())).fingerprint()
    assert UndecodedPairs(concatenate_datasets(parts)).fingerprint() == whole
    sliced = Dataset(dataset(rows()).data.table.slice(4), info=parts[0].info)
    assert UndecodedPairs(sliced).fingerprint() == fingerprint(list(rows())[4:])


def test_other_media_are_left_out():
    seeds = {"seed_image": [row["image_original"] for row in rows()]}
    seeds = Dataset.from_dict(seeds, features=Features({"seed_image": Image()}))
    source = UndecodedPairs(concatenate_datasets([dataset(rows()), seeds], axis=1))
    assert "seed_image" not in source.schema.names
    assert "dose" in source.schema.names


def test_images_must_be_images():
    pairs = dataset(rows()).remove_columns("image_original")
    pairs = pairs.add_column("image_original", ["a.png"] * len(pairs))
    with pytest.raises(SchemaError, match=r"image_original holds no images. Cast it"):
        UndecodedPairs(pairs)


def test_a_stream_is_read_forward():
    source = UndecodedPairs(dataset(rows()).to_iterable_dataset())
    names = [row["pair_id"] for row in rows()]
    assert [r.values["pair_id"] for r in source.read(0, 4)] == names[:4]
    assert [r.values["pair_id"] for r in source.read(6, 9)] == names[6:9]
    assert [r.values["pair_id"] for r in source.read(12, 99)] == names[12:]
    assert list(source.read(99, 120)) == []
