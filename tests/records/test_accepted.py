"""What is not accepted is not shown, whatever it says of itself."""

import json
import shutil

import pytest

from aas_bench.records.accept import accepted


@pytest.fixture
def folder(board, tmp_path):
    shutil.copytree(board, tmp_path / "results")
    return tmp_path / "results"


def edit(file, change, *, to=None):
    document = json.loads(file.read_text())
    change(document)
    (to or file).parent.mkdir(parents=True, exist_ok=True)
    (to or file).write_text(json.dumps(document))


def test_the_shipped_results_are_all_shown(board):
    found = accepted(board)
    assert found.refused == ()
    assert len(found.records) == len(list(board.rglob("*.json"))) - 1


def test_a_forged_figure_is_listed_with_its_reason_and_enters_nothing(folder):
    file = folder / "wide_spectrum" / "hpsv3" / "measured.json"

    def forge(document):
        chosen = next(m for m in document["measurements"] if m["measure"] == "chosen")
        chosen["value"] = 0.999

    accepted(folder)  # what was accepted before is no excuse
    edit(file, forge)
    found = accepted(folder)
    (refused,) = found.refused
    assert refused.file == "wide_spectrum/hpsv3/measured.json"
    assert "chosen: value is 0.999, recomputed 0.29" in refused.reason
    assert "wide_spectrum/hpsv3/measured" not in {r.id for r in found.records}


def test_a_record_without_its_scores_is_not_shown(folder):
    (folder / "wide_spectrum" / "hpsv3" / "measured.parquet").unlink()
    (refused,) = accepted(folder).refused
    assert "its scores measured.parquet are not beside it" in refused.reason


def test_scores_changed_afterwards_are_seen(folder):
    accepted(folder)
    scores = folder / "wide_spectrum" / "hpsv3" / "measured.parquet"
    shutil.copy(folder / "wide_spectrum" / "hpsv2" / "measured.parquet", scores)
    (refused,) = accepted(folder).refused
    assert "its scores have the checksum" in refused.reason


@pytest.mark.parametrize("value", [-5.0, 1e15, 1.0001])
def test_a_figure_that_cannot_be_is_refused(folder, value):
    file = folder / "wide_spectrum" / "clip-l" / "published.json"
    edit(file, lambda d: d["measurements"][0].update(value=value))
    (refused,) = accepted(folder).refused
    assert "accuracy lies outside 0 to 1" in refused.reason


def test_figures_of_the_paper_with_another_source_are_refused(folder):
    file = folder / "wide_spectrum" / "clip-l" / "published.json"
    edit(file, lambda d: d["source"].update(url="https://evil.example"))
    (refused,) = accepted(folder).refused
    assert "the source is not that of" in refused.reason


def test_figures_that_nobody_published_are_refused(folder):
    file = folder / "wide_spectrum" / "clip-l" / "published.json"

    def rename(document):
        document["id"] = "wide_spectrum/mine/published"
        document["subject"]["id"] = "mine"

    edit(file, rename, to=folder / "wide_spectrum" / "mine" / "published.json")
    (refused,) = accepted(folder).refused
    assert "the figures are not those of" in refused.reason


def hostile():
    """Documents that are no result, by what is wrong with each: changes of a good one."""
    long = "x" * 5000
    figure = {"measure": "accuracy", "value": 0.9}

    def setting(*path, value):
        def change(document):
            place = document
            for key in path[:-1]:
                place = place[key]
            place[path[-1]] = value

        return change

    subject = {
        "name": ["", long, "a\x1b[31mb", "a\u202eb", "a\nb", 3, None, "\x00"],
        "id": ["", "../up", "A", "a b", "a/b", long],
        "repo": ["https://evil", "a", "a/b/c", "javascript:alert(1)"],
        "revision": ["main", "0" * 39, "g" * 40],
        "licence": ["", long, "a\u2066b"],
        "kind": ["person"],
    }
    for field, values in subject.items():
        for value in values:
            yield f"{field}-{str(value)[:12]!a}", setting("subject", field, value=value)
    first = ("measurements", 0)
    for field, values in {
        "value": ["0.9", True, [0.9], {"x": 1}, -0.5, 2.0, 1e308],
        "n": [-1, 0.5, "5"],
        "measure": ["made_up", ""],
        "coverage": [-0.1, 1.5],
        "extra": [1],
    }.items():
        for value in values:
            yield f"{field}-{str(value)[:12]!a}", setting(*first, field, value=value)
    yield "source-script", setting("source", "url", value="javascript:alert(1)")
    yield "source-quote", setting("source", "url", value='https://a"><script>')
    yield "unknown-key", setting("__proto__", value={})
    yield "twice", lambda d: d["measurements"].append(dict(d["measurements"][0]))
    yield "many", setting("measurements", value=[figure] * 6000)
    yield "no-figures", setting("measurements", value=[])
    yield "version", setting("schema_version", value=99)
    yield "task", setting("task", value="nothing")
    yield "status", setting("status", value="measured")


HOSTILE = list(hostile())


@pytest.mark.parametrize("change", [c for _, c in HOSTILE], ids=[n for n, _ in HOSTILE])
def test_a_hostile_record_is_listed_with_its_reason_and_not_shown(tmp_path, board, change):
    good = board / "wide_spectrum" / "clip-l" / "published.json"
    place = tmp_path / "wide_spectrum" / "clip-l" / "published.json"
    edit(good, change, to=place)
    found = accepted(tmp_path)
    assert found.records == ()
    (refused,) = found.refused
    assert 10 < len(refused.reason) < 1200
    assert refused.reason.isprintable()


def test_there_are_forty_of_them():
    assert len(HOSTILE) >= 40
