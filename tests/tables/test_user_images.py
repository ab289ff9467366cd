"""The reader's own images, joined to a table that only names them."""

import hashlib
import json
import os
import pickle
import unicodedata
import warnings
from pathlib import Path

import numpy as np
import pytest
from datasets import Dataset, Features, Image, List, Value
from support.toy_pairs import picture, png

from aas_bench.errors import InputError, SchemaError
from aas_bench.tables import user_images
from aas_bench.tables.forms import absent_image
from aas_bench.tables.images import centre_square, crop, pixels_sha256
from aas_bench.tables.pairs import load_pairs
from aas_bench.tables.user_images import ImageFolder, image_key

N = 6


def photograph(number):
    return png(picture(number, size=(14, 9)))


@pytest.fixture
def own(tmp_path):
    folder = tmp_path / "own"
    folder.mkdir()
    for number in range(N):
        (folder / f"{number}.png").write_bytes(photograph(number))
    return folder


def write_table(folder, *, n=N, box=(2, 0, 11, 9), **changes):
    rows = [
        {
            "pair_id": f"m/{number}",
            "index": number,
            "model": "m",
            "image_original": {"bytes": png(picture(100 + number)), "path": None},
            "prompt_original": "a cow",
            "prompt_distorted": f"a spoilt cow {number}",
            "dimensions": ["clarity"],
            "label": 1,
            "file_name": f"{number}.png",
            "file_sha256": hashlib.sha256(photograph(number)).hexdigest(),
            "crop_box": None if box is None else list(box),
            **changes,
        }
        for number in range(n)
    ]
    text = Value("string")
    types = {
        "pair_id": text,
        "index": Value("int64"),
        "model": text,
        "image_original": Image(),
        "prompt_original": text,
        "prompt_distorted": text,
        "dimensions": List(text),
        "label": Value("int8"),
        "file_name": text,
        "file_sha256": text,
        "crop_box": List(Value("int32")),
    }
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "table.parquet"
    Dataset.from_list(rows, features=Features(types)).to_parquet(file)
    return file


@pytest.fixture
def table(tmp_path):
    return write_table(tmp_path / "published")


def told(pairs):
    return [
        {k: np.asarray(v).tolist() if hasattr(v, "tobytes") else v for k, v in row.items()}
        for row in pairs
    ]


def both(table, **options):
    plain = load_pairs(table, **options)
    streamed = load_pairs(table, streaming=True, **options)
    assert plain.features == streamed.features
    assert told(plain) == told(streamed)
    return plain


def listed(error):
    """The list that a message points at."""
    path = str(error).split("listed in ")[1].split(".not-found.jsonl")[0] + ".not-found.jsonl"
    return {
        row["file_name"]: row["problem"]
        for row in map(json.loads, Path(path).read_text().splitlines())
    }


# Found


def test_each_image_is_the_crop_of_the_readers_file(table, own):
    for number, row in enumerate(both(table, images=own)):
        expected = np.asarray(picture(number, size=(14, 9)))[:, 2:11]
        assert np.array_equal(np.asarray(row["image_distorted"]), expected)
        original = np.asarray(picture(100 + number))
        assert np.array_equal(np.asarray(row["image_original"]), original)


def test_files_without_a_crop_are_pointed_at_not_copied(tmp_path, own):
    file = write_table(tmp_path / "whole", box=None)
    pairs = both(file, images=own)
    cells = pairs.cast_column("image_distorted", Image(decode=False))["image_distorted"][:]
    assert cells == [{"bytes": None, "path": str(own / f"{n}.png")} for n in range(N)]


def test_nested_folders_and_other_spellings_are_found(table, own):
    deep = own / "a" / "b"
    deep.mkdir(parents=True)
    (own / "0.png").rename(deep / "0.PNG")
    (own / "1.png").rename(deep / "1.jpeg")  # named so by the reader; the content decides
    assert len(both(table, images=own)) == N


def test_of_several_files_of_one_name_the_published_one_is_taken(table, own):
    (own / "thumbnails").mkdir()
    (own / "A").mkdir()
    for folder in ("thumbnails", "A"):
        (own / folder / "3.png").write_bytes(photograph(77))
    pairs = both(table, images=own)
    expected = np.asarray(picture(3, size=(14, 9)))[:, 2:11]
    assert np.array_equal(np.asarray(pairs[3]["image_distorted"]), expected)


def test_names_are_the_same_in_every_unicode_form(tmp_path, own):
    name = "andré-derain_boats.jpg"
    composed, taken_apart = (unicodedata.normalize(form, name) for form in ("NFC", "NFD"))
    assert composed != taken_apart
    assert image_key(f"figurative/{taken_apart}") == image_key(composed.upper())
    (own / "0.png").rename(own / taken_apart)
    file = write_table(tmp_path / "one", n=1, file_name=composed)
    assert len(both(file, images=own)) == 1


def test_limit_comes_before_the_join(table, own):
    for number in range(2, N):
        (own / f"{number}.png").unlink()
    assert both(table, images=own, limit=2)["pair_id"][:] == ["m/0", "m/1"]
    (own / "1.png").unlink()
    with pytest.warns(UserWarning, match="left out"):
        assert both(table, images=own, limit=3, on_missing="drop")["pair_id"][:] == ["m/0"]


def test_a_stream_goes_to_a_worker(table, own):
    stream = load_pairs(table, images=own, streaming=True)
    assert told(pickle.loads(pickle.dumps(stream))) == told(stream)


# Not found


def spoil(own):
    """Three of six are not to be used, each for a reason of its own."""
    (own / "1.png").unlink()
    (own / "2.png").write_bytes(photograph(99))
    outside = own.parent / "outside.png"
    outside.write_bytes(photograph(4))
    (own / "4.png").unlink()
    (own / "4.png").symlink_to(outside)


def test_what_is_missing_or_differs_is_listed_and_never_used(table, own):
    spoil(own)
    message = (
        r"3 of 6 images found in \S+; 1 missing, 1 differ from the published ones, 1 are links out "
        r"of the folder: listed in \S+\. .*on_missing=\"drop\" \(--missing-images drop\)"
    )
    with pytest.raises(InputError, match=message) as caught:
        load_pairs(table, images=own)
    assert listed(caught.value) == {"1.png": "missing", "2.png": "differs", "4.png": "link"}


def test_the_others_can_be_used_with_the_coverage_said(table, own):
    spoil(own)
    with pytest.warns(UserWarning, match=r"3 of 6 images found .*These rows are left out"):
        pairs = load_pairs(table, images=own, on_missing="drop")
    assert pairs["pair_id"][:] == ["m/0", "m/3", "m/5"]
    expected = np.asarray(picture(3, size=(14, 9)))[:, 2:11]
    assert np.array_equal(np.asarray(pairs[1]["image_distorted"]), expected)
    with pytest.warns(UserWarning, match="the row is left out") as said:
        streamed = told(load_pairs(table, images=own, on_missing="drop", streaming=True))
    assert streamed == told(pairs)
    problems = [str(w.message).split(" is ")[1].split(":")[0] for w in said]
    assert problems == ["missing", "differs", "link"]


def test_a_stream_stops_at_the_first_image_that_is_not_there(table, own):
    spoil(own)
    rows = iter(load_pairs(table, images=own, streaming=True))
    assert next(rows)["pair_id"] == "m/0"
    with pytest.raises(InputError, match=r"1\.png in \S+ is missing\. .*--missing-images drop"):
        next(rows)


def test_a_link_within_the_folder_is_followed(table, own):
    (own / "deep").mkdir()
    (own / "0.png").rename(own / "deep" / "x.png")
    (own / "0.png").symlink_to(own / "deep" / "x.png")
    assert len(both(table, images=own)) == N


def test_a_linked_folder_is_not_searched(table, own, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    own.rename(elsewhere)
    own.mkdir()
    (own / "linked").symlink_to(elsewhere)
    with pytest.raises(InputError, match="0 of 6 images found"):
        load_pairs(table, images=own)


@pytest.mark.parametrize("on_missing", ["raise", "drop"])
def test_a_folder_of_other_images_is_refused(table, tmp_path, on_missing):
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    (foreign / "holiday.jpg").write_bytes(photograph(0))
    message = r"0 of 6 images found .*6 missing.*Check that this is the folder of your copy"
    with pytest.raises(InputError, match=message):
        load_pairs(table, images=foreign, on_missing=on_missing)
    with pytest.raises(InputError, match=r"nowhere: there is no such folder"):
        load_pairs(table, images=tmp_path / "nowhere", on_missing=on_missing)


def test_a_file_that_cannot_be_read_is_listed(table, own, monkeypatch):
    real = user_images.file_sha256

    def broken(path):
        if path.name == "5.png":
            raise PermissionError(13, "denied")
        return real(path)

    monkeypatch.setattr(user_images, "file_sha256", broken)
    with pytest.raises(InputError, match="1 cannot be read") as caught:
        load_pairs(table, images=own)
    assert listed(caught.value) == {"5.png": "unreadable"}


@pytest.mark.parametrize("box", [[0, 0, 15, 9], [5, 0, 5, 9], [-1, 0, 9, 9], [0, 0, 9]])
def test_a_crop_that_does_not_fit_is_refused(tmp_path, own, box):
    file = write_table(tmp_path / "t", box=box)
    for streaming in (False, True):
        with pytest.raises(SchemaError, match=r"0\.png: the crop .*Mend the row"):
            list(load_pairs(file, images=own, streaming=streaming))


def test_a_wrong_word_is_refused(table, own):
    with pytest.raises(InputError, match=r"on_missing is 'skip'\. Give 'raise' or 'drop'"):
        load_pairs(table, images=own, on_missing="skip")
    with pytest.raises(InputError, match=r"Give 'raise' or 'drop'"):
        load_pairs(table, on_missing="skip")


# Without a folder, or without need of one


def test_a_table_without_its_images_says_so_in_one_line(table):
    with pytest.raises(InputError, match=r"names its images but does not hold them.*--images") as e:
        load_pairs(table)
    assert "\n" not in str(e.value)


def test_a_table_that_holds_its_images_has_no_use_for_a_folder(tmp_path, own):
    rows = load_pairs(write_table(tmp_path / "t"), images=own)
    rows.to_parquet(tmp_path / "full.parquet")
    with pytest.raises(InputError, match="Leave out images"):
        load_pairs(tmp_path / "full.parquet", images=own)
    assert len(load_pairs(tmp_path / "full.parquet")) == N


def test_only_tables_that_lack_nothing_else_are_completed():
    names = ["file_name", "file_sha256"]
    pair = ["image_original", "prompt_distorted"]
    assert absent_image([*names, *pair]) == "image_distorted"
    assert absent_image([*names, "caption"]) == "image"
    assert absent_image([*names, *pair, "image_distorted"]) is None
    assert absent_image(["file_name", *pair]) is None
    assert absent_image([*names, "prompt_distorted"]) is None


# Hashes are read once


@pytest.fixture
def hashed(monkeypatch):
    seen = []
    real = user_images.file_sha256

    def counting(path):
        seen.append(path.name)
        return real(path)

    monkeypatch.setattr(user_images, "file_sha256", counting)
    return seen


def test_the_second_load_reads_no_file_twice(table, own, hashed):
    first = told(load_pairs(table, images=own))
    assert sorted(hashed) == [f"{n}.png" for n in range(N)]
    hashed.clear()
    assert told(load_pairs(table, images=own)) == first
    assert hashed == []


def test_a_file_that_changed_is_hashed_again(table, own, hashed):
    load_pairs(table, images=own)
    hashed.clear()
    (own / "3.png").write_bytes(photograph(3)[:-1] + b"x")  # of the same size
    state = (own / "3.png").stat()
    os.utime(own / "3.png", ns=(state.st_atime_ns, state.st_mtime_ns + 1_000_000))
    with pytest.raises(InputError, match="1 differ"):
        load_pairs(table, images=own)
    assert hashed == ["3.png"]


def test_a_damaged_memory_of_hashes_is_made_anew(table, own, hashed):
    from aas_bench.tables.user_images import Hashes

    load_pairs(table, images=own)
    Hashes(own.resolve())._file.write_text("{")
    hashed.clear()
    assert len(load_pairs(table, images=own)) == N
    assert len(hashed) == N


def test_files_that_no_row_names_are_not_read(table, own, hashed):
    for number in range(50):
        (own / f"other{number}.png").write_bytes(b"x")
    load_pairs(table, images=own)
    assert len(hashed) == N


def test_nothing_is_warned_where_all_is_there(table, own):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        load_pairs(table, images=own)


# The crop


@pytest.mark.parametrize(
    ("size", "box"),
    [
        ((5, 5), (0, 0, 5, 5)),
        ((9, 4), (2, 0, 6, 4)),
        ((4, 9), (0, 2, 4, 6)),
        ((10, 4), (3, 0, 7, 4)),
        ((1, 3), (0, 1, 1, 2)),
    ],
)
def test_the_centre_square(size, box):
    assert centre_square(*size) == box


def test_the_hash_of_pixels_knows_size_and_values():
    image = picture(1, size=(6, 4))
    assert pixels_sha256(image) == pixels_sha256(image.copy())
    assert pixels_sha256(crop(image, (0, 0, 4, 4))) != pixels_sha256(image)
    flat = picture(1, size=(4, 6))  # the same bytes in another shape
    assert flat.tobytes() == image.tobytes()
    assert pixels_sha256(flat) != pixels_sha256(image)


def test_a_folder_knows_its_links_out(own, tmp_path):
    outside = tmp_path / "o.png"
    outside.write_bytes(b"x")
    (own / "link.png").symlink_to(outside)
    folder = ImageFolder(own)
    assert folder.is_linked_out("LINK.jpg")
    assert folder.candidates("link.png") == []
    assert not folder.is_linked_out("0.png")
