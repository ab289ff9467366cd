"""The words of the judges, and what their answers must be."""

import pytest

from aas_bench.errors import InputError
from aas_bench.judges.checklist import (
    NOT_APPLICABLE,
    QUESTIONS,
    checklist_question,
    items,
    resolved,
)
from aas_bench.judges.graded import RUBRIC as GRADED
from aas_bench.judges.graded import graded_question
from aas_bench.judges.pairwise import decision, pairwise_question
from aas_bench.tasks.taxonomy import DIMENSIONS


def test_every_dimension_has_its_two_questions():
    assert list(QUESTIONS) == list(DIMENSIONS)
    texts = [text for both in QUESTIONS.values() for text in both]
    assert len({*texts}) == 2 * len(DIMENSIONS)
    assert all(text.endswith("?") for text in texts)


def test_a_question_comes_after_the_one_that_it_depends_on():
    asked = items(list(DIMENSIONS))
    keys = [each.key for each in asked]
    assert len({*keys}) == len(keys)
    for place, each in enumerate(asked):
        assert each.only_if is None or each.only_if in keys[:place]


@pytest.mark.parametrize(
    ("there", "strong", "expected"),
    [
        ("yes", "yes", (True, True)),
        ("yes", "no", (True, False)),
        ("no", NOT_APPLICABLE, (False, None)),
        ("no", "no", (False, None)),
        ("no", "yes", (False, None)),  # no strength of what is not there
    ],
)
def test_strength_stands_or_falls_with_the_effect(there, strong, expected):
    values = {"content": "yes", "content_whole": "no", "clarity": there, "clarity_strong": strong}
    found = resolved(values, items(["clarity"]))
    assert (found["clarity"], found["clarity_strong"]) == expected
    assert checklist_question("a cat", ["clarity"], None).faults(values) is None


def test_what_is_there_must_be_answered_for():
    values = dict.fromkeys(("content", "content_whole", "clarity"), "yes")
    values["clarity_strong"] = NOT_APPLICABLE
    fault = checklist_question("a cat", ["clarity"], None).faults(values)
    assert fault == "clarity_strong is not applicable, though clarity is yes"
    values["clarity"] = NOT_APPLICABLE
    assert "none of ['yes', 'no']" in checklist_question("", ["clarity"], None).faults(values)


@pytest.mark.parametrize(
    ("dimensions", "message"),
    [([], "no effect is requested"), (["taste"], "no questions for 'taste'")],
)
def test_effects_are_known_ones(dimensions, message):
    with pytest.raises(InputError, match=message):
        items(dimensions)


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [(1, 1, 1), (0, 0, 0), (1, 0, 0.5), (1, 0.5, 0.5), (0.5, 0.5, 0.5), (None, 1, None)],
)
def test_only_agreement_decides(first, second, expected):
    assert decision(first, second) == decision(second, first) == expected


def test_other_words_or_pictures_are_another_question():
    one, two = {"bytes": b"1"}, {"bytes": b"2"}
    questions = [
        pairwise_question("a cat", one, two),
        pairwise_question("a cat", two, one),
        pairwise_question("a dog", one, two),
        graded_question("a cat", "a blurred cat", one),
    ]
    identities = [question.identity() for question in questions]
    assert all(identities.count(each) == 1 for each in identities)
    assert identities[0] == pairwise_question("a cat", one, two).identity()
    assert identities[3]["rubric"] == GRADED.identity()
