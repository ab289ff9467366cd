"""A pasted submission: what the runner says, beside the line that it is about."""

import re
from pathlib import Path

import pytest

from aas_bench.board.submit import answer, check
from aas_bench.errors import SpecError
from aas_bench.generators.cost import cost
from aas_bench.generators.spec import load_submission
from aas_bench.generators.submission_yaml import MAX_BYTES
from aas_bench.run.prompts import N_PUBLISHED

SUBMISSIONS = sorted((Path(__file__).parents[2] / "leaderboard" / "submissions").glob("*.yaml"))
GOOD = (SUBMISSIONS[0].parent / "builtin_faithful.yaml").read_text()


@pytest.mark.parametrize("file", SUBMISSIONS, ids=lambda file: file.stem)
def test_every_submission_of_the_folder_is_taken_with_its_cost(file):
    checked = check(file.read_text())
    expected = load_submission(file)
    assert checked.faults == ()
    assert checked.submission == expected
    assert checked.price == cost(expected, N_PUBLISHED)
    assert bool(checked.pending) == any(s.pending for s in expected.sources().values())


@pytest.mark.parametrize(
    ("old", "new", "line", "said"),
    [
        ("alignment: base", "alignment: nice", 5, "alignment: 'nice' is refused"),
        ("width: 384}", "width: 12}", 9, "settings.both.width: 12"),
        ("model: faithful", "model: other", 7, "model: 'other' is not made"),
        ("family: builtin", "famly: builtin", 4, "famly: is no known key. Did you mean family?"),
        ("name: builtin:faithful", "name: [", 3, "line"),
        ("licence: Apache-2.0\n", "", None, "licence: is missing"),
        ("alignment: base", "alignment: *x", 5, "alias"),
    ],
)
def test_a_fault_stands_beside_its_line(old, new, line, said):
    assert old in GOOD
    text = GOOD.replace(old, new)
    found = [fault for fault in check(text).faults if said in fault.text]
    assert [fault.line for fault in found] == [line] or (said == "line" and found)
    assert check(text).submission is None


def test_all_faults_are_those_of_the_runner(tmp_path):
    text = GOOD.replace("alignment: base", "alignment: nice").replace("384", "100000")
    file = tmp_path / "x.yaml"
    file.write_text(text)
    with pytest.raises(SpecError, match="alignment") as caught:
        load_submission(file)
    said = [line.removeprefix(f"{file}: ") for line in str(caught.value).splitlines()]
    assert [fault.text for fault in check(text).faults] == said


def test_no_path_of_the_server_is_told():
    for text in ("", "a: [", "x" * 10, GOOD.replace("base", "nice"), "- 1\n"):
        assert "/tmp" not in answer(text)
        assert "aas-submission-" not in answer(text)


def test_what_is_empty_or_too_large_is_refused():
    assert "empty" in check(" \n").faults[0].text
    assert "larger than" in check("#" + "x" * MAX_BYTES).faults[0].text


def test_a_small_text_cannot_grow():
    bomb = "a: &a [x, x]\n" + "\n".join(f"b{i}: &b{i} [*a, *a]" for i in range(20))
    nested = "[" * 2000
    for text in (bomb, nested, "\x00", "\ud800", "!!python/object/apply:os.system [echo]"):
        assert check(text).faults


def test_markup_in_a_submission_stays_text():
    text = GOOD.replace("name: builtin:faithful", 'name: "<img src=x onerror=alert(1)>"')
    shown = answer(text)
    assert "<img" not in shown
    assert "&lt;img" in shown
    assert "<script>" not in answer("<script>alert(1)</script>: 1")


def test_the_answer_offers_the_checked_file_and_the_pull_request():
    shown = answer(GOOD)
    assert 'download="builtin_faithful.yaml"' in shown
    assert "leaderboard/submissions/builtin_faithful.yaml" in shown
    assert re.search(r"<dt>Images</dt><dd>600 ", shown)
