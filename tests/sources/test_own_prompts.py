import re

import pytest

from aas_bench.sources.own_prompts import NEGATIVE, critical_prompts, emotion_prompts
from aas_bench.tasks.taxonomy import EMOTIONS, TOPICS


def test_a_hundred_critical_prompts_twenty_on_each_topic():
    prompts = critical_prompts()
    assert [p.index for p in prompts] == list(range(100))
    assert [p.topic for p in prompts] == [topic for topic in TOPICS for _ in range(20)]
    assert len({p.prompt for p in prompts}) == len({p.caption for p in prompts}) == 100


@pytest.mark.parametrize("prompt", critical_prompts(), ids=lambda p: str(p.index))
def test_a_critical_prompt_is_of_the_length_and_on_one_line(prompt):
    assert 25 <= len(prompt.prompt.split()) <= 60
    assert 3 <= len(prompt.caption.split()) <= 12
    for text in (prompt.prompt, prompt.caption):
        assert text == " ".join(text.split())
    assert prompt.prompt.endswith((".", "!"))


def test_critical_prompts_do_not_repeat_each_other():
    beginnings = [" ".join(p.prompt.lower().split()[:4]) for p in critical_prompts()]
    assert len(set(beginnings)) >= 98
    words = [set(re.findall(r"[a-z]{4,}", p.prompt.lower())) for p in critical_prompts()]
    for i, mine in enumerate(words):
        for theirs in words[:i]:
            assert len(mine & theirs) / len(mine | theirs) < 0.25


@pytest.mark.real
def test_critical_prompts_are_not_the_authors(real_data):
    import json

    lines = (real_data / "critical_comparison/pairs.jsonl").read_text(encoding="utf-8").splitlines()
    for theirs in (json.loads(line)["prompt"].lower().split() for line in lines):
        runs = {tuple(theirs[i : i + 5]) for i in range(len(theirs))}
        for mine in (p.prompt.lower().split() for p in critical_prompts()):
            assert not runs & {tuple(mine[i : i + 5]) for i in range(len(mine) - 4)}


def test_thirty_portraits_with_one_slot_that_any_emotion_fits():
    prompts = emotion_prompts()
    assert len({p.template for p in prompts}) == len(prompts) == 30
    for prompt in prompts:
        assert prompt.template.count("[emotion]") == 1
        assert not re.search(r"\ban? \[emotion\]", prompt.template)
        assert not re.search("|".join(EMOTIONS), prompt.template)
        for emotion in EMOTIONS:
            assert prompt.filled(emotion).count(emotion) == 1
            assert "[" not in prompt.filled(emotion)
    assert NEGATIVE == ("sad", "angry", "fearful")
