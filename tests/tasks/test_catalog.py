import re
from itertools import combinations

import pytest
import yaml

from aas_bench.counterfactual.split import counterfactual_dataset
from aas_bench.errors import UnknownNameError
from aas_bench.records.published import paper
from aas_bench.registry import import_object
from aas_bench.tables.forms import FORMS
from aas_bench.tasks.catalog import DEFAULT, TASKS

PAPER = {"wide_spectrum", "ava_photos", "emotion_bias", "critical_comparison", "lapis_art"}


def test_the_papers_tasks_and_ours():
    assert set(TASKS) == PAPER | {"counterfactual"}


@pytest.mark.parametrize("task", TASKS.values(), ids=lambda task: task.name)
def test_every_row_is_whole(task):
    ids = [i for i in (task.hub_id, task.authors_id) if i is not None]
    assert all(re.fullmatch(r"weathon/[\w-]+", i) for i in ids)
    assert len({task.hub_id for task in TASKS.values()}) == len(TASKS)
    assert task.build is None or re.fullmatch(r"aas_bench(\.\w+)+:\w+", task.build)
    for text in (task.title, task.question, task.summary, task.image_distorted, task.label):
        assert text == text.strip() != ""
    assert task.licence.endswith(".")
    assert len(task.summary) < 90
    assert re.fullmatch(r"[a-z]+", task.groups)
    assert task.analysis is None or callable(import_object(task.analysis))


@pytest.mark.parametrize("task", TASKS.values(), ids=lambda task: task.name)
def test_every_row_has_a_card_and_where_the_card_says_so_a_licence(task):
    card = (task.cards / f"{task.name}.md").read_text(encoding="utf-8")
    front = yaml.safe_load(card.split("---\n")[1])
    own = front["license_link"] == "LICENSE"
    assert (task.cards / f"{task.name}.LICENSE").is_file() == own


def test_every_form_of_table_is_some_tasks_and_the_other_way_round():
    assert {task.form for task in TASKS.values()} == {form.name for form in FORMS}


def test_no_two_tasks_ask_for_the_same_so_that_a_table_tells_its_own():
    for a, b in combinations(TASKS.values(), 2):
        assert not a.asked & b.asked, (a.name, b.name)


def test_every_table_of_the_papers_figures_is_on_one_task():
    tables = [name for task in TASKS.values() for name in task.paper]
    assert len(tables) == len(set(tables))
    assert set(tables) == {name for name, table in paper().items() if isinstance(table, dict)}


def test_the_built_in_task_has_as_many_pairs_as_its_row_says():
    asked = counterfactual_dataset()
    assert DEFAULT.expected_pairs("reward_model") == len(asked)
    assert TASKS["emotion_bias"].expected_pairs("reward_model") == 300
    assert TASKS["emotion_bias"].expected_pairs("generator") is None


def test_the_default_task_needs_nothing_from_the_hub():
    assert [task for task in TASKS.values() if task.build is not None] == [DEFAULT]


def test_only_paintings_stand_alone():
    assert [t.name for t in TASKS.values() if t.image_original is None] == ["lapis_art"]


def test_a_misspelt_task():
    with pytest.raises(UnknownNameError, match=r"Did you mean lapis_art\? List them with"):
        TASKS["lapis-art"]
