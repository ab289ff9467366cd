import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.photo_sources import ava_line, commit, write_json

from aas_bench.errors import InputError, SchemaError
from aas_bench.sources.ava import read_votes
from aas_bench.sources.curation import read_captions, read_curation
from aas_bench.sources.photographs import read_photographs
from aas_bench.sources.style_words import leaked_words
from aas_bench.tasks.taxonomy import elements

COUNTS = st.lists(st.integers(0, 400), min_size=10, max_size=10).filter(any)


@settings(max_examples=50, deadline=None)
@given(counts=COUNTS)
def test_mean_and_deviation_are_those_of_the_ratings_one_by_one(tmp_path_factory, counts):
    file = tmp_path_factory.mktemp("ava") / "AVA.txt"
    file.write_text(ava_line(1, 953619, counts, tags=(0, 22)))
    votes = read_votes(file).votes[953619]
    ratings = np.repeat(np.arange(1, 11), counts)
    assert votes.n == len(ratings)
    assert votes.mean == pytest.approx(ratings.mean(), rel=1e-12)
    if len(ratings) == 1:
        assert votes.sd is None
    else:
        assert votes.sd == pytest.approx(ratings.std(ddof=1), abs=1e-12)
    assert (votes.tags, votes.challenge) == ((22,), 1396)


def test_broken_lines_are_told_by_number_and_cost_only_themselves(tmp_path):
    good = [ava_line(n, n, [n] * 10) for n in (1, 2, 3)]
    bad = ["1 2 3", good[0] + " 9", ava_line(4, "x", [1] * 10), ava_line(5, -5, [1] * 10), good[1]]
    (tmp_path / "AVA.txt").write_text(
        "\n".join([good[0], *bad[:2], good[1], *bad[2:], "", good[2]])
    )
    table = read_votes(tmp_path / "AVA.txt")
    assert list(table.votes) == [1, 2, 3]
    assert [(fault.line, fault.reason) for fault in table.faults] == [
        (2, "3 numbers instead of 15"),
        (3, "16 numbers instead of 15"),
        (5, "'x' is not a whole number"),
        (6, "'-5' is not a whole number"),
        (7, "photograph 2 stands already on line 4"),
    ]


def test_a_file_of_something_else_is_refused(tmp_path):
    (tmp_path / "AVA.txt").write_text("hello\n")
    with pytest.raises(InputError, match="no line of it holds 15 whole numbers"):
        read_votes(tmp_path / "AVA.txt")
    with pytest.raises(InputError, match=r"Give the AVA\.txt of your copy"):
        read_votes(tmp_path / "none.txt")


# Curation


def test_a_photograph_of_several_commits_stands_once(tmp_path):
    commits = {"a": commit(5, 7, key="a"), "b": commit(9, 5, key="b")}
    curation = read_curation(write_json(tmp_path / "curation.json", commits))
    assert [(p.file_name, p.index, p.commits) for p in curation.photos] == [
        ("5.jpg", 0, ("a", "b")),
        ("7.jpg", 1, ("a",)),
        ("9.jpg", 2, ("b",)),
    ]
    assert curation.photos[0].queries == ("query a", "query b")
    assert [c.negative_threshold for c in curation.commits] == [0.3, 0.3]


def test_both_schemas_of_their_table_of_images_say_the_same(tmp_path):
    import pandas as pd

    short = [{"filename": "5.jpg", "query": ["q", "r"], "message": ["m", "n"]}]
    long = [
        {
            "original_path": "photos/5.jpg",
            "file_name": "5.jpg",
            "class_keys": ["a", "b"],
            "queries": ["q", "r"],
            "source_datasets": ["photos", "photos"],
            "messages": ["m", "n"],
            "annotations_json": [json.dumps({"x": 1})],
        }
    ]
    for name, rows in (("short", short), ("long", long)):
        folder = tmp_path / name
        folder.mkdir()
        pd.DataFrame(rows).to_parquet(folder / "train-00000-of-00001.parquet")
    one, two = (read_curation(tmp_path / name).photos[0] for name in ("short", "long"))
    assert (one.file_name, one.queries, one.messages) == ("5.jpg", ("q", "r"), ("m", "n"))
    assert (two.file_name, two.queries, two.messages) == ("5.jpg", ("q", "r"), ("m", "n"))
    assert (one.commits, two.commits) == ((), ("a", "b"))
    assert (two.sources, two.annotations) == (("photos", "photos"), ('{"x": 1}',))


def test_curations_of_other_forms_are_refused(tmp_path):
    file = write_json(tmp_path / "c.json", {"a": {"query": "q"}})
    with pytest.raises(SchemaError, match="'a' has no list of images"):
        read_curation(file)
    with pytest.raises(SchemaError, match="row 0 names no image"):
        read_curation(write_json(tmp_path / "d.json", [{"picture": "5.jpg"}]))
    (tmp_path / "e.json").write_text("{")
    with pytest.raises(InputError, match="cannot be read as JSON"):
        read_curation(tmp_path / "e.json")


# Captions


def test_caption_files_that_are_broken_cost_only_themselves(tmp_path):
    write_json(tmp_path / "1.json", {"image_path": "1.jpg", "response": {"objective_caption": "a"}})
    write_json(tmp_path / "2.json", {"image_path": "2.jpg", "response": "sorry"})
    write_json(tmp_path / "3.json", ["a"])
    write_json(tmp_path / "sub" / "4.json", {"response": {"anti_aesthetic_elements": [1]}})
    (tmp_path / "5.json").write_text("{")
    captions, faults = read_captions(tmp_path)
    assert [c.objective for c in captions] == ["a"]
    assert {fault.where: fault.reason for fault in faults} == {
        "2.json": "its response is 'sorry', not an object",
        "3.json": "is not a JSON object",
        "5.json": "is not JSON",
        "sub/4.json": "[1] holds something that is not text",
    }
    with pytest.raises(InputError, match="there are no captions"):
        read_captions(tmp_path / "none")


def test_both_names_of_the_photographs_score_are_the_cell_under_its_own_caption(tmp_path):
    rows = [
        {"file_name": "1.jpg", "hpsv3_anti": 1.5, "hpsv3_clean": 2.5},
        {"file_name": "2.jpg", "hpsv3_photo": 3.5, "pickscore_didp": 4.5},
    ]
    file = write_json(tmp_path / "pairs.json", rows)
    captions, _ = read_captions(file)
    assert dict(captions[0].scores) == {"hpsv3_didp": 1.5, "hpsv3_oidp": 2.5}
    assert dict(captions[1].scores) == {"hpsv3_didp": 3.5, "pickscore_didp": 4.5}


def test_names_that_are_no_photographs_of_ava_are_faults(tmp_path):
    file = write_json(tmp_path / "curation.json", {"a": commit("cat", 7, key="a")})
    book = read_photographs(curation=file, captions=[], votes=None)
    assert [photo.ava_id for photo in book.photographs] == [7]
    assert [(f.where, f.reason) for f in book.faults] == [
        ("cat.jpg", "its name is not a number, so it is no photograph of AVA")
    ]
    with pytest.raises(InputError, match=r"no source names a photograph.*--curation.*--captions"):
        read_photographs(curation=None, captions=[], votes=None)


# Words of style


@pytest.mark.parametrize(
    ("caption", "found"),
    [
        ("a cow", []),
        ("trees in snow", []),
        ("an old man crying", ["emotion_and_subject.negative_personal_emotion"]),
        (
            "a Blurred, GRAINY street",
            ["clarity_and_focus.intentional_blur", "clarity_and_focus.film_artifacts"],
        ),
        ("a double-exposure of horses", ["clarity_and_focus.double_exposure"]),
        ("a grainfield under a blue sky", []),
        ("a harshly lit room", ["lighting_and_exposure.harsh_or_insufficient_flash"]),
    ],
)
def test_words_of_style_are_found_by_element(caption, found):
    assert [element for element, _ in leaked_words(caption)] == found


def test_every_element_has_words_and_no_word_is_of_none():
    from aas_bench.sources import style_words

    assert tuple(style_words._PATTERNS) == elements()
