"""Drawings must follow the page: its colours, its font, its other drawings' ids."""

import re
import xml.etree.ElementTree as ET

import matplotlib as mpl
import pytest

from aas_bench.pages.svg import TOKENS, bare_axes, colour, drawing, label, to_decoration, to_svg


def draw(text="text", token="ink", name="a"):
    with drawing(120, 60) as figure:
        axes = bare_axes(figure, 0, 0, 120, 60)
        axes.set_axis_off()
        axes.barh(0.5, 1, 1, 0, color=colour(token), hatch="//", edgecolor=colour("paper"))
        axes.fill_between([0, 1], 0, [1, 2], color=colour(token), alpha=0.5, lw=0)
        axes.text(0, 0, text)
        return to_svg(figure, name=name, title="Title & <b>", description='"quoted" <i>')


def test_every_colour_is_a_variable_of_the_page():
    for token in TOKENS:
        svg = draw(token=token)
        assert f"var(--{token})" in svg
        assert not re.search(r"#[0-9a-fA-F]{6}", svg)


def test_a_colour_that_no_theme_knows_is_refused():
    with drawing(50, 50) as figure:
        bare_axes(figure, 0, 0, 50, 50).plot([0, 1], [0, 1], color="#123456")
        with pytest.raises(ValueError, match=r"#123456.*Draw with colour"):
            to_svg(figure, name="a", title="", description="")


def test_text_is_text_in_the_font_of_the_page_and_never_markup_or_mathematics():
    root = ET.fromstring(draw(r"<script>alert(1)</script> $\frac{1}{2}$ & '"))
    texts = ["".join(node.itertext()) for node in root.iter() if node.tag.endswith("text")]
    assert texts == [r"<script>alert(1)</script> $\frac{1}{2}$ & '"]
    assert "font-family" not in draw()
    assert "font-size: 15px" in draw()


def test_it_has_a_name_and_a_description_for_those_who_cannot_see_it():
    root = ET.fromstring(draw())
    assert root.attrib["role"] == "img"
    by_id = {node.attrib["id"]: node.text for node in root if "id" in node.attrib}
    wanted = root.attrib["aria-labelledby"].split()
    assert [by_id[i] for i in wanted] == ["Title & <b>", '"quoted" <i>']


def test_ids_of_two_drawings_never_meet_and_every_reference_resolves():
    one, other = draw(name="one"), draw(name="other")
    ids = [set(re.findall(r'id="([^"]+)"', svg)) for svg in (one, other)]
    assert ids[0].isdisjoint(ids[1])
    for svg, own in zip((one, other), ids, strict=True):
        referenced = set(re.findall(r'href="#([^"]+)"|url\(#([^)]+)\)', svg))
        targets = {a or b for a, b in referenced}
        assert targets
        assert targets <= own


def test_equal_drawings_are_equal_text_and_no_setting_leaks():
    keys = mpl.rcParams.keys() - {"backend"}  # which resolves itself when first looked at
    before = {key: mpl.rcParams[key] for key in keys}
    assert draw() == draw()
    assert {key: mpl.rcParams[key] for key in keys} == before


def test_a_decoration_is_hidden_from_readers():
    with drawing(20, 20) as figure:
        bare_axes(figure, 0, 0, 20, 20).set_axis_off()
        root = ET.fromstring(to_decoration(figure, name="mark"))
    assert root.attrib["aria-hidden"] == "true"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("short", "short"),
        ("exactly-ten", "exactly-ten"),
        ("a\x00b\nc\u2028d", "a\ufffdb\ufffdc\ufffdd"),
        ("stable_diffusion_xl_v2", "stable_…xl_v2"[:7] + "…" + "_v2"),
    ],
)
def test_labels_are_printable_and_keep_both_ends(text, shown):
    assert label(text, longest=11) == shown
    assert len(label(text, longest=11)) <= 11
