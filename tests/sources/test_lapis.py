import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.pair_files import write_lines
from support.photo_sources import PAINTINGS, lapis_source

from aas_bench.errors import SchemaError
from aas_bench.sources.lapis import COLUMNS, quoted_marks, read_paintings


@pytest.mark.parametrize("name", COLUMNS["file_name"])
def test_each_spelling_of_the_file_name_is_known(tmp_path, name):
    file = write_lines(tmp_path / "t.jsonl", [{name: "abstract/a_b.jpg", "caption": "a boat"}])
    (painting,) = read_paintings(file).paintings
    assert (painting.file_name, painting.caption, painting.index) == ("a_b.jpg", "a boat", 0)


@pytest.mark.parametrize("name", COLUMNS["n_ratings"])
@pytest.mark.parametrize("mean", COLUMNS["human_score"])
def test_each_spelling_of_the_ratings_is_known(tmp_path, name, mean):
    row = {"image": "a.jpg", "caption": "a boat", mean: 41.5, name: 29}
    (painting,) = read_paintings(write_lines(tmp_path / "t.jsonl", [row])).paintings
    assert (painting.human_score, painting.n_ratings) == (41.5, 29)


@settings(max_examples=25, deadline=None)
@given(given_ratings=st.lists(st.integers(0, 100), min_size=1, max_size=40))
def test_ratings_are_summed_up(tmp_path_factory, given_ratings):
    folder = tmp_path_factory.mktemp("lapis")
    captions = write_lines(folder / "c.jsonl", [{"image": "A.JPG", "caption": "a boat"}])
    ratings = [{"image_filename": "x/a.jpg", "response": r} for r in given_ratings]
    annotations = write_lines(folder / "r.jsonl", ratings)
    (painting,) = read_paintings(captions, annotations=annotations).paintings
    assert painting.human_score == pytest.approx(np.mean(given_ratings))
    assert painting.n_ratings == len(given_ratings)
    if len(given_ratings) == 1:
        assert painting.human_score_sd is None
    else:
        assert painting.human_score_sd == pytest.approx(np.std(given_ratings, ddof=1), abs=1e-9)


def test_a_table_of_images_that_holds_its_captions_is_enough(tmp_path):
    folder = lapis_source(tmp_path / "source")
    lines = (folder / "LAPIS.csv").read_text(encoding="utf-8").splitlines()
    lines = [lines[0] + ",caption", *(f"{line},a boat" for line in lines[1:])]
    (folder / "all.csv").write_text("\n".join(lines), encoding="utf-8")
    book = read_paintings(folder / "all.csv")
    assert [p.human_score for p in book.paintings] == [mean for _, _, mean, *_ in PAINTINGS]
    assert not book.annotated


def test_annotated_paintings_without_a_caption_are_counted(tmp_path):
    folder = lapis_source(tmp_path / "source")
    lines = (folder / "art.jsonl").read_text(encoding="utf-8").splitlines()
    (folder / "art.jsonl").write_text(lines[0] + "\n", encoding="utf-8")
    book = read_paintings(folder / "art.jsonl", annotations=folder / "LAPIS.csv", rewards=["hpsv3"])
    assert (len(book.paintings), book.n_uncaptioned) == (1, 2)


def test_rows_that_are_at_fault_are_told_by_number(tmp_path):
    rows = [
        {"image": "a.jpg", "caption": "a boat", "hpsv3": [1.5, 0.25]},
        {"image": "sub/A.jpeg", "caption": "a boat again"},
        {"image": None, "caption": "a boat"},
        {"image": "b.jpg", "caption": " "},
        {"image": "c.jpg", "caption": "a boat", "hpsv3": "high"},
    ]
    book = read_paintings(write_lines(tmp_path / "t.jsonl", rows), rewards=["hpsv3"])
    assert [p.scores for p in book.paintings] == [(("hpsv3_didp", 1.5),)]
    assert [(fault.where, fault.reason) for fault in book.faults] == [
        ("t.jsonl row 1", "sub/A.jpeg stands twice"),
        ("t.jsonl row 2", "it names no image"),
        ("t.jsonl row 3", "it has no caption"),
        ("t.jsonl row 4", "its hpsv3 'high' is not a number"),
    ]


def test_annotations_of_something_else_are_refused(tmp_path):
    captions = write_lines(tmp_path / "c.jsonl", [{"image": "a.jpg", "caption": "a boat"}])
    other = write_lines(tmp_path / "o.jsonl", [{"painter": "x"}])
    with pytest.raises(SchemaError, match=r"no column for file_name \(image_filename, .*painter"):
        read_paintings(captions, annotations=other)


@pytest.mark.parametrize(
    ("caption", "found"),
    [
        ('The artist\'s signature, "John Miller," is in the corner.', ["John Miller"]),
        ("It is signed “M. Chagall” below.", ["M. Chagall"]),
        ('An inscription reads "Ave".', ["Ave"]),
        ('A sign over the door, "Bakery", is red.', []),
        ("A signature is visible in the corner.", []),
        ("A painting of the artist's studio.", []),
    ],
)
def test_quoted_signatures(caption, found):
    assert quoted_marks(caption) == found
