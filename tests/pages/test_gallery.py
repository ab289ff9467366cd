"""Cards: the right scores under the right pair, images stored once, the request marked."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from support.report_tables import pair_rows, score_table

from aas_bench.errors import InputError
from aas_bench.measure.summary import summarise, verdicts
from aas_bench.pages.gallery import build_gallery, marked_words
from aas_bench.pages.pictures import THUMBNAIL_PX

PROMPTS = st.lists(
    st.sampled_from(["a", "cat", "blurred", ",", "(dark)", "Ünder", "<b>"]), max_size=12
).map(" ".join)


@settings(deadline=None, max_examples=150)
@given(original=st.none() | PROMPTS, distorted=PROMPTS)
def test_marked_runs_are_the_prompt_and_marks_are_words(original, distorted):
    runs = marked_words(original, distorted)
    assert "".join(text for text, _ in runs) == distorted
    for text, marked in runs:
        assert not marked or (text == text.strip(" ,") and text)
    if original in (None, distorted):
        assert not any(marked for _, marked in runs)


@pytest.mark.parametrize(
    ("original", "distorted", "marked"),
    [
        ("a cat on a mat", "a blurred cat on a dirty, torn mat", ["blurred", "dirty, torn"]),
        ("a sharp cat", "a cat", []),
        ("a cat.", "a cat, badly lit.", ["badly lit"]),
        (None, "a cat", []),
    ],
)
def test_what_was_added_is_marked(original, distorted, marked):
    assert [text for text, is_marked in marked_words(original, distorted) if is_marked] == marked


def build(table, folder, *, most=100, pairs=None):
    summary = summarise(table)
    rows = pair_rows(table) if pairs is None else pairs
    return build_gallery(summary, table, rows, folder=folder / "images", max_gallery=most)


def test_a_card_holds_the_scores_under_the_request(tmp_path):
    table = score_table(doses=True)
    cards = {card["pair_id"]: card for card in build(table, tmp_path).cards}
    assert len(cards) == 60
    judged = verdicts(table, "beta")
    for i, row in enumerate(table.frame.to_dict("records")):
        card = cards[row["pair_id"]]
        beta = card["scores"][1]
        assert float(beta["left"].replace("−", "-")) == pytest.approx(row["beta_oidp"], abs=5e-3)
        assert float(beta["right"].replace("−", "-")) == pytest.approx(row["beta_didp"], abs=5e-3)
        assert beta["verdict"] == judged[i]
        assert card["dimension"] == list(row["dimensions"])
        assert card["dose"] == f"{row['dose']:g}"
        assert card["label"] == row["label"]


def test_scores_of_a_narrow_model_keep_enough_decimals(tmp_path):
    table = score_table()
    for cell in ("oiop", "oidp", "diop", "didp"):
        table.frame[f"alpha_{cell}"] *= 1e-3
    cards = build(table, tmp_path).cards
    assert all(card["scores"][0]["left"] != card["scores"][0]["right"] for card in cards)


def test_only_the_first_wording_is_shown(tmp_path):
    gallery = build(score_table(wordings=3), tmp_path)
    assert len(gallery.cards) == gallery.n_pairs == 60
    assert all(card["pair_id"].endswith("/0") for card in gallery.cards)


def test_equal_images_share_a_file_and_large_ones_get_a_thumbnail(tmp_path):
    table = score_table(n=4)
    large = Image.fromarray(
        np.random.default_rng(0).integers(0, 256, (600, 1200, 3), dtype=np.uint8)
    )
    small = Image.new("P", (30, 20), 3)
    pairs = [
        {"pair_id": pair_id, "image_original": large, "image_distorted": small}
        for pair_id in table.frame["pair_id"]
    ]
    gallery = build(table, tmp_path, pairs=pairs)
    assert len(list((tmp_path / "images").iterdir())) == 3
    left, right = gallery.cards[0]["left"], gallery.cards[0]["right"]
    assert right["full"] == right["thumbnail"]
    assert left["size"] == (THUMBNAIL_PX, THUMBNAIL_PX // 2)
    with Image.open(tmp_path / left["thumbnail"]) as thumbnail:
        assert thumbnail.size == (THUMBNAIL_PX, THUMBNAIL_PX // 2)
    with Image.open(tmp_path / left["full"]) as full:
        assert full.size == (1200, 600)


def test_of_many_pairs_a_seeded_sample_is_shown(tmp_path):
    table = score_table()
    one, again = build(table, tmp_path / "a", most=7), build(table, tmp_path / "b", most=7)
    assert len(one.cards) == 7
    assert one.n_pairs == 60
    assert one.cards == again.cards


def test_pairs_that_were_not_scored_are_refused(tmp_path):
    table = score_table(n=3)
    other = [{**row, "pair_id": "elsewhere"} for row in pair_rows(table)]
    with pytest.raises(
        InputError, match=r"none of the given pairs.*Give the pairs that were scored"
    ):
        build(table, tmp_path, pairs=other)


@pytest.mark.parametrize("cell", [{"bytes": b"not an image", "path": None}, None])
def test_a_pair_without_a_readable_image_is_counted_and_the_others_are_shown(tmp_path, cell):
    table = score_table(n=3)
    rows = list(pair_rows(table))
    rows[1]["image_distorted"] = cell
    gallery = build(table, tmp_path, pairs=rows)
    assert gallery.n_unreadable == 1
    assert {card["pair_id"] for card in gallery.cards} == {rows[0]["pair_id"], rows[2]["pair_id"]}


def test_an_encoded_image_is_decoded_once(tmp_path, monkeypatch):
    from support.toy_pairs import picture, png

    from aas_bench.pages import pictures

    seen = []
    real = pictures.open_image
    monkeypatch.setattr(
        pictures, "open_image", lambda c, name: seen.append(c) or real(c, name=name)
    )
    folder = pictures.Pictures(tmp_path / "images")
    cell = {"bytes": png(picture(1)), "path": None}
    assert folder.store(cell, name="a") == folder.store(dict(cell), name="b")
    assert len(seen) == 1


def test_a_dataset_decodes_only_what_is_shown(tmp_path):
    from support.toy_pairs import dataset, rows

    listed = list(rows())
    table = score_table(n=len(listed))
    table.frame["pair_id"] = [row["pair_id"] for row in listed]
    listed[0]["image_original"] = {"bytes": b"not an image", "path": None}
    summary = summarise(table)
    shown = [row["pair_id"] for row in listed[1:]]
    table = type(table)(
        frame=table.frame[table.frame["pair_id"].isin(shown)].reset_index(drop=True),
        rewards=table.rewards,
    )
    gallery = build_gallery(
        summary, table, dataset(listed), folder=tmp_path / "images", max_gallery=100
    )
    assert sorted(card["pair_id"] for card in gallery.cards) == sorted(shown)
    marked = {text for card in gallery.cards for text, is_marked in card["prompt"] if is_marked}
    assert any("blurred and crooked" in text for text in marked)
