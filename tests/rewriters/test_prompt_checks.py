import pytest
from hypothesis import given
from hypothesis import strategies as st

from aas_bench.rewriters.prompt_checks import content_words, lost_words, prompt_faults, unmentioned
from aas_bench.tasks.taxonomy import DIMENSIONS

CAPTION = "A man plays frisbee on a beach by the ocean."
GOOD = "A man plays frisbee on a beach by the ocean, all of it badly blurred and gloomy."
ASKED = ("clarity", "emotion")


def faults(prompt, *, caption=CAPTION, dimensions=ASKED):
    return prompt_faults(prompt, caption=caption, dimensions=dimensions)


def test_a_good_prompt_has_no_fault():
    assert faults(GOOD) == []


@pytest.mark.parametrize(
    ("prompt", "fault"),
    [
        ("", "it is empty"),
        ("  \n ", "it is empty"),
        (GOOD + " very" * 70, "it has 87 words; the most is 70"),
        (GOOD.replace(", ", ",\n"), "it runs over several lines"),
        (CAPTION.upper(), "it only repeats the caption"),
        ("A woman in a kitchen, badly blurred and gloomy.", "it drops what the caption shows: man"),
        (GOOD.replace(" and gloomy", ""), "it does not ask for emotion"),
        (GOOD.replace("badly blurred and ", ""), "it does not ask for clarity"),
        (GOOD.replace("badly blurred", "not blurred"), "it does not ask for clarity"),
    ],
)
def test_each_fault_is_told(prompt, fault):
    assert any(each.startswith(fault) for each in faults(prompt)), faults(prompt)


def test_all_faults_are_told_at_once():
    assert len(faults("word " * 71)) == 4


def test_the_limit_itself_is_allowed():
    n = 70 - len(GOOD.split())
    assert faults(GOOD + " very" * n) == []
    assert len(faults(GOOD + " very" * (n + 1))) == 1


@pytest.mark.parametrize(
    ("prompt", "lost"),
    [
        ("Two dogs chase the balls", ["grass"]),
        ("a dog's ball in sunlit grasses", []),
        ("nothing", ["dogs", "chase", "ball", "grass"]),
    ],
)
def test_words_are_found_in_other_forms(prompt, lost):
    found = lost_words(prompt, "The dogs chase a ball in the grass")
    assert [word for word in found if word != "chase"] == [w for w in lost if w != "chase"]


def test_content_words_leave_out_what_says_little():
    assert content_words("There is a picture of two men sitting on some red chairs") == [
        "men",
        "red",
        "chairs",
    ]


@given(st.text(max_size=300), st.text(max_size=100))
def test_any_text_can_be_checked(prompt, caption):
    found = faults(prompt, caption=caption, dimensions=tuple(DIMENSIONS))
    assert all(isinstance(fault, str) for fault in found)
    assert found or unmentioned(prompt, tuple(DIMENSIONS)) == []


@pytest.mark.real
@pytest.mark.parametrize("table", ["wide_spectrum/pairs.jsonl", "danceflux/outputs.jsonl"])
def test_the_authors_prompts_mostly_pass(real_data, table):
    import json

    lines = (real_data / table).read_text(encoding="utf-8").splitlines()
    found = [
        faults(r["prompt_distorted"], caption=r["prompt_original"], dimensions=r["selected_dims"])
        for r in map(json.loads, lines)
    ]
    assert sum(not each for each in found) >= len(found) / 2
    assert {f.rsplit(" ", 1)[0] for each in found for f in each} <= {"it does not ask for"}
