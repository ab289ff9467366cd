"""Drawings must follow the page: its colours, its font, its other drawings' ids."""

import re
import xml.etree.ElementTree as ET
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aas_bench.pages.chart import MARKS, TOKENS, Drawing, Scale, apart, band, label
from aas_bench.pages.render import tokens
from aas_bench.stats.estimate import Estimate


def draw(text="text", token="ink", name="a"):
    drawing = Drawing(name, 120, 60)
    drawing.bar(0, 0, 60, 20, "overridden")
    drawing.area([(0, 0), (1, 2), (2, 0)], token, opacity=0.5)
    drawing.line([(0, 0), (120, 60)], token, dashes="2 2")
    drawing.text(0, 0, text, fill=token)
    return str(drawing.svg(title="Title & <b>", description='"quoted" <i>'))


def test_every_colour_is_a_variable_of_the_page():
    for token in TOKENS:
        svg = draw(token=token)
        assert f"var(--{token})" in svg
        assert not re.search(r"#[0-9a-fA-F]{6}", svg)
        assert all(f"--{token}: #" in theme for theme in tokens())


def test_a_colour_that_no_theme_knows_is_refused():
    with pytest.raises(ValueError, match=r"#123456.*Draw with one of TOKENS"):
        Drawing("a", 50, 50).line([(0, 0), (1, 1)], "#123456")


def test_text_is_text_in_the_font_of_the_page_and_never_markup_or_mathematics():
    root = ET.fromstring(draw(r"<script>alert(1)</script> $\frac{1}{2}$ & '"))
    texts = ["".join(node.itertext()) for node in root.iter() if node.tag.endswith("text")]
    assert texts == [r"<script>alert(1)</script> $\frac{1}{2}$ & '"]
    assert "font-family" not in draw()
    assert root.attrib["font-size"] == "15"


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


def test_equal_drawings_are_equal_text():
    assert draw() == draw()


def test_a_decoration_is_hidden_from_readers():
    root = ET.fromstring(str(Drawing("mark", 20, 20).decoration()))
    assert root.attrib["aria-hidden"] == "true"


@pytest.mark.parametrize("position", range(len(MARKS)))
def test_a_mark_lies_around_its_place(position):
    drawing = Drawing("a", 20, 20)
    drawing.mark(10, 10, position, size=12)
    (path,) = re.findall(r' d="([^"]+) Z"', str(drawing.decoration()))
    x = y = 0.0
    xs, ys = [], []
    for command, arguments in re.findall(r"([A-Za-z])([^A-Za-z]*)", path):
        values = [float(value) for value in arguments.split()]
        across, down = values[-2:] if command in "MLa" else (values[0], values[0])
        x = across if command in "MLH" else x + across if command in "ha" else x
        y = down if command in "ML" else y + down if command in "va" else y
        xs.append(x)
        ys.append(y)
    assert min(xs) + max(xs) == pytest.approx(0, abs=0.01)
    assert min(ys) + max(ys) == pytest.approx(0, abs=0.01)
    assert 12 <= max(xs) - min(xs) <= 14.5


@given(
    low=st.floats(-1e6, 1e6),
    span=st.floats(1e-3, 1e6),
    most=st.integers(2, 8),
)
def test_ticks_are_few_round_and_inside(low, span, most):
    scale = Scale(low=low, high=low + span, start=0, stop=100)
    ticks = scale.ticks(most)
    assert len(ticks) <= most
    assert all(-1e-3 <= scale(tick) <= 100 + 1e-3 for tick in ticks)
    steps = {round((b - a) / span, 6) for a, b in pairwise(ticks)}
    assert len(steps) <= 1


def test_a_scale_is_linear_between_its_ends():
    scale = Scale(low=-1, high=3, start=10, stop=50)
    assert [scale(v) for v in (-1, 1, 3)] == [10, 30, 50]


def test_a_band_goes_along_the_lower_ends_and_back_along_the_upper():
    drawing = Drawing("a", 10, 10)
    points = [
        (0.0, Estimate(value=0.5, low=0.25, high=0.75, n=4)),
        (1.0, Estimate(value=0.5, n=4)),
        (2.0, Estimate(value=1.0, low=0.5, high=1.0, n=4)),
    ]
    x = Scale(low=0, high=2, start=0, stop=20)
    y = Scale(low=0, high=1, start=100, stop=0)
    band(drawing, points, x, y, 0)
    assert 'points="0,75 20,50 20,0 0,25"' in str(drawing.decoration())


@given(st.dictionaries(st.text(max_size=3), st.floats(0, 100), min_size=1, max_size=12))
def test_labels_keep_their_distance_and_their_order(wanted):
    placed = apart(wanted, 18, 100)
    heights = sorted(placed.values())
    assert all(b - a >= 18 - 1e-9 for a, b in pairwise(heights))
    assert max(heights) <= 100
    order = sorted(wanted, key=lambda name: -wanted[name])
    assert sorted(placed, key=lambda name: -placed[name]) == order


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
