import re

import pytest

from aas_bench.errors import UnknownNameError
from aas_bench.tasks.catalog import TASKS

PAPER = {"wide_spectrum", "ava_photos", "emotion_bias", "critical_comparison", "lapis_art"}


def test_the_papers_tasks_and_ours():
    assert set(TASKS) == PAPER | {"counterfactual"}


@pytest.mark.parametrize("task", TASKS.values(), ids=lambda task: task.name)
def test_every_row_is_whole(task):
    ids = [i for i in (task.hub_id, task.authors_id) if i is not None]
    assert all(re.fullmatch(r"weathon/[\w-]+", i) for i in ids)
    assert len({task.hub_id for task in TASKS.values()}) == len(TASKS)
    assert task.build is None or re.fullmatch(r"aas_bench(\.\w+)+:\w+", task.build)
    for text in (task.summary, task.image_distorted, task.label, task.licence):
        assert text == text.strip() != ""
    assert len(task.summary) < 90


def test_only_paintings_stand_alone():
    assert [t.name for t in TASKS.values() if t.image_original is None] == ["lapis_art"]


def test_a_misspelt_task():
    with pytest.raises(UnknownNameError, match=r"Did you mean lapis_art\? List them with"):
        TASKS["lapis-art"]
