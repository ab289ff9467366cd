"""Text from data stays text: judged by a Markdown renderer where one is at hand."""

import html
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aas_bench.publish.markdown import MOST_CHARACTERS, Safe, code, inline, rendered

NASTY = [
    "<script>alert(1)</script>",
    "a | b || c",
    "[x](javascript:alert(1))",
    "![x](http://evil/x.png)",
    "`code` and ```fence",
    "*bold* _it_ ~~gone~~ $x^2$",
    "# heading",
    "- item",
    "1. item",
    "line one\n\n## line two",
    "<!-- hidden -->",
    "https://evil.example www.evil.example",
    "back\\slash @someone",
    "&lt;script&gt;",
    "<b>*x*</b> | <i>",
]


def shown(text):
    """What a reader sees: entities resolved, as a renderer does it after parsing."""
    return html.unescape(text)


@pytest.mark.parametrize("text", NASTY)
def test_no_character_acts(text):
    out = inline(text)
    plain = re.sub(r"&(#\d+|#x[0-9a-f]+|\w+);", "", out)
    assert not re.search(r"[<>|`*_\[\]~$\\@\n]", plain), out
    assert not re.match(r"[-+=#](?!\d)|\d+[.)]\s", out)
    assert "://" not in out
    assert "www." not in out
    assert shown(out) == " ".join(text.split())


@given(st.text(max_size=300) | st.text("<>&*_|`a1. -#:/w\n", max_size=30))
def test_a_reader_sees_the_text(text):
    out = inline(text)
    expected = "".join(mark for mark in " ".join(text.split()) if mark.isprintable())
    assert shown(out) == expected
    assert "\n" not in out
    assert not set(out) & set("<>|`*_[]~$\\@")


def test_long_text_is_cut():
    out = inline("word " * 500)
    assert len(out) <= MOST_CHARACTERS
    assert out.endswith("…")


def test_names_and_values():
    assert code("hpsv3_didp") == "`hpsv3_didp`"
    assert code("a`|b") == "a&#96;&#124;b"
    assert rendered(Safe("**bold**")) == "**bold**"
    assert rendered("**bold**") == "&#42;&#42;bold&#42;&#42;"
    assert rendered(3) == 3
