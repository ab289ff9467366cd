"""The page: its numbers are the Summary's, its text is inert, its folder is whole or absent."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from support.report_tables import pair_rows, score_frame, score_table

from aas_bench.errors import InputError
from aas_bench.measure.summary import summarise
from aas_bench.pages.report import render, write_report
from aas_bench.tables.scores import ScoreTable

HOSTILE = '"><img src=x onerror=alert(1)></script><script>alert(2)</script>{{7*7}}'


class Page(HTMLParser):
    """Elements with their attributes, and the cells that carry a number, by row."""

    def __init__(self, text):
        super().__init__()
        self.elements = []
        self.cells = {}
        self.words = []
        self.row = None
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        found = dict(attributes)
        self.elements.append((tag, found))
        if tag == "tr":
            self.row = found.get("data-row")
        if "data-what" in found and self.row is not None:
            key = (self.row, found["data-what"])
            self.cells.setdefault(key, []).append(found)

    def handle_data(self, text):
        self.words.append(text)

    def number(self, row, what, part="value"):
        (cell,) = self.cells[row, what]
        return float(cell[f"data-{part}"])

    def tags(self):
        return [tag for tag, _ in self.elements]


def page_of(table, *, title="Title", **options):
    return Page(render(summarise(table, **options), title=title))


def test_headline_numbers_are_those_of_the_summary(summary):
    page = Page(render(summary))
    for name, reward in summary.rewards.items():
        for part in ("value", "low", "high", "n"):
            assert page.number(name, "headline", part) == getattr(reward.headline, part)
            rate = reward.placebo.override_rate
            assert page.number(name, "override_rate", part) == getattr(rate, part)
        assert page.number(name, "understood") == reward.placebo.understood.value
        assert page.number(name, "coverage") == reward.coverage
        for key in ("balanced_accuracy", "f1", "auroc", "cohen_kappa"):
            assert page.number(name, key) == getattr(reward.preference, key).value
        for key in ("override_strength", "prompt_response", "prior_pull"):
            assert page.number(name, key) == getattr(reward.override, key).value
        assert page.number(name, "delta") == reward.generator.delta.value
        assert page.number(name, "after") == reward.generator.after.value


def test_group_numbers_are_those_of_the_summary(summary):
    page = Page(render(summary))
    for group in summary.rewards["alpha"].by:
        headlines = [float(cell["data-value"]) for cell in page.cells[group, "headline"]]
        rates = [
            float(cell["data-value"]) if "data-value" in cell else None
            for cell in page.cells[group, "override_rate"]
        ]
        mine = [reward.by[group] for reward in summary.rewards.values()]
        assert headlines == [g.headline.value for g in mine]
        assert rates == [g.placebo.override_rate.value for g in mine]


def test_every_section_that_the_table_supports_is_there(summary):
    ids = {found.get("id") for _, found in Page(render(summary)).elements}
    wanted = {"result", "outcomes", "strength", "dose", "groups", "wordings", "cut", "method"}
    assert wanted | {"provenance"} <= ids
    assert "pairs" not in ids


def test_nothing_from_the_data_becomes_markup(tmp_path):
    frame = score_frame(n=12, rewards=(HOSTILE, "plain"), doses=True, wordings=2)
    frame["dimensions"] = [[HOSTILE]] * len(frame)
    for column in ("prompt_distorted", "effect", "scene", "model"):
        frame[column] = HOSTILE
    frame["prompt_original"] = "a cat"
    frame["pair_id"] = [f"{HOSTILE}{i}" for i in range(len(frame))]
    table = ScoreTable.from_frame(frame)
    summary = summarise(table, command=HOSTILE, source=HOSTILE)
    pairs = pair_rows(table)
    text = write_report(summary, table, pairs=pairs, out=tmp_path / "r", title=HOSTILE).read_text()
    page = Page(text)
    assert not [a for _, found in page.elements for a in found if a.startswith("on")]
    assert page.tags().count("script") == 1  # our own
    images = [found["src"] for tag, found in page.elements if tag == "img"]
    assert images
    assert all(re.fullmatch(r"images/[0-9a-f]+\.jpg", source) for source in images)
    rows = {found["data-reward"] for _, found in page.elements if "data-reward" in found}
    assert rows == {HOSTILE, "plain"}
    assert page.words.count(HOSTILE) > len(frame)  # each prompt among them, whole
    assert "49" not in "".join(page.words).split("{{7*7}}")[0][:200]
    assert HOSTILE in "".join(page.words)


def test_no_file_mentions_a_remote_place_and_the_page_forbids_them(tmp_path, summary, table):
    index = write_report(summary, table, pairs=pair_rows(table), out=tmp_path / "report")
    for path in index.parent.rglob("*"):
        if path.suffix in {".html", ".json"}:
            assert not re.search(rb"(https?:)?//[a-z0-9-]+\.[a-z]{2,}", path.read_bytes(), re.I)
    meta = [f for tag, f in Page(index.read_text()).elements if tag == "meta"]
    policy = next(f["content"] for f in meta if f.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none'")
    assert "http" not in policy
    assert "unsafe-inline" not in policy.split("script-src")[1]


def test_equal_inputs_give_equal_bytes(tmp_path, summary, table):
    for name in ("one", "other"):
        write_report(summary, table, pairs=pair_rows(table), out=tmp_path / name)
    one, other = (
        {p.relative_to(tmp_path / name): p.read_bytes() for p in (tmp_path / name).rglob("*.*")}
        for name in ("one", "other")
    )
    assert one == other
    assert {"index.html", "summary.json"} <= {str(path) for path in one}


def test_the_summary_lies_beside_the_page(tmp_path, summary, table):
    index = write_report(summary, table, out=tmp_path / "report")
    written = json.loads((index.parent / "summary.json").read_text())
    assert written == json.loads(summary.to_json())
    assert not (index.parent / "images").exists()


@pytest.mark.parametrize(
    "options",
    [
        {"rewards": ("only",)},
        {"labels": False},
        {"originals": False},
        {"labels": False, "originals": False},
        {"n": 1},
        {"n": 1, "doses": True, "wordings": 2, "cuts": True},
        {"rewards": tuple(f"reward {i}" for i in range(12))},
    ],
    ids=str,
)
def test_every_kind_of_table_makes_a_page(options, tmp_path):
    table = score_table(**options)
    summary = summarise(table)
    index = write_report(summary, table, pairs=pair_rows(table), out=tmp_path / "report")
    page = Page(index.read_text())
    for name, reward in summary.rewards.items():
        if reward.headline.value is None:
            assert "data-value" not in page.cells[name, "headline"][0]
        else:
            assert page.number(name, "headline") == reward.headline.value
    words = " ".join(page.words)
    assert "None" not in words
    assert "nan" not in words.lower().split()


def test_missing_scores_are_told_not_hidden():
    frame = score_frame()
    for cell in ("oiop", "oidp", "diop", "didp"):
        frame[f"beta_{cell}"] = np.nan
    frame.loc[:5, "alpha_didp"] = np.nan
    page = page_of(ScoreTable.from_frame(frame), on_missing="drop")
    assert page.number("alpha", "coverage") == 54 / 60
    assert page.number("beta", "coverage") == 0
    assert "beta could not be judged" in " ".join(" ".join(page.words).split())


def test_the_best_comes_first_and_its_series_keeps_its_place():
    frame = score_frame(rewards=("poor", "good"))
    frame["label"] = 1
    frame["poor_didp"], frame["good_didp"] = frame["poor_oidp"] - 1, frame["good_oidp"] + 1
    summary = summarise(ScoreTable.from_frame(frame))
    assert list(summary.rewards) == ["poor", "good"]
    assert list(summary.ordered().rewards) == ["good", "poor"]


def test_a_report_is_replaced_but_nothing_else_is(tmp_path, summary, table):
    out = tmp_path / "report"
    write_report(summary, table, pairs=pair_rows(table), out=out)
    (out / "stale").write_text("from an earlier report")
    write_report(summary, table, out=out)
    assert not (out / "stale").exists()
    assert not (out / "images").exists()
    foreign = tmp_path / "thesis"
    foreign.mkdir()
    (foreign / "chapter.txt").write_text("years of work")
    with pytest.raises(InputError, match=r"not a report. Give another folder"):
        write_report(summary, table, out=foreign)
    with pytest.raises(InputError, match=r"not a report. Give another folder"):
        write_report(summary, table, out=foreign / "chapter.txt")
    assert (foreign / "chapter.txt").read_text() == "years of work"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["report", "thesis"]


def test_a_failure_leaves_the_earlier_report_as_it_was(tmp_path, summary, table):
    out = tmp_path / "report"
    write_report(summary, table, out=out)
    before = {p.name: p.read_bytes() for p in out.iterdir()}

    def broken():
        yield from list(pair_rows(table))[:3]
        raise OSError("the disk went away")

    with pytest.raises(OSError, match="went away"):
        write_report(summary, table, pairs=broken(), out=out)
    assert {p.name: p.read_bytes() for p in out.iterdir()} == before
    assert [p.name for p in tmp_path.iterdir()] == ["report"]


def test_an_empty_folder_and_a_link_to_a_folder_are_filled(tmp_path, summary, table):
    (tmp_path / "empty").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "empty")
    index = write_report(summary, table, out=tmp_path / "link")
    assert index == tmp_path / "link" / "index.html"
    assert (tmp_path / "empty" / "index.html").exists()
    assert Path(tmp_path / "link").is_symlink()
