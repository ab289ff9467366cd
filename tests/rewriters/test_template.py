import itertools
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aas_bench.counterfactual.reading import requested_effects
from aas_bench.errors import InputError, UnknownNameError
from aas_bench.rewriters.assign import ASKED, assign_dimensions
from aas_bench.rewriters.base import RewriteError, RewriteRequest, n_words
from aas_bench.rewriters.catalog import load_rewriter
from aas_bench.rewriters.phrases import JOINTS, LEADS, PHRASES
from aas_bench.rewriters.prompt_checks import prompt_faults
from aas_bench.tasks.taxonomy import DIMENSIONS

CAPTIONS = [
    "A man plays frisbee on a beach by the ocean.",
    "the building looms over the city and its windows are reflecting the sunlight",
    "Two giraffes standing near a fence ",
    "This photo shows an adult bear and a bear cub.",
    "NYC street at night; people walking, cars parked",
]


def rewrite(caption, dimensions, seed=0):
    request = RewriteRequest(caption=caption, dimensions=tuple(dimensions), seed=seed)
    return load_rewriter("template").rewrite(request)


def test_every_dimension_has_phrases_and_each_speaks_of_its_own_dimension_only():
    assert set(PHRASES) == set(DIMENSIONS)
    for name, phrases in PHRASES.items():
        assert len(set(phrases)) == len(phrases) >= 4
        for phrase in phrases:
            assert requested_effects(phrase) == (name.replace(" ", "-"),), phrase
            assert not phrase.endswith(".")
            assert phrase[0].islower()


def test_every_phrase_survives_every_way_of_joining():
    for name, phrases in PHRASES.items():
        for phrase, joint, lead in itertools.product(phrases, JOINTS, [x for x in LEADS if x]):
            text = f"{lead} {phrase}{joint}the wall is red: a cat."
            assert name.replace(" ", "-") in requested_effects(text), text


@settings(max_examples=200)
@given(
    st.sampled_from(CAPTIONS),
    st.lists(st.sampled_from(sorted(DIMENSIONS)), min_size=1, max_size=4, unique=True),
    st.integers(0, 99),
)
def test_a_prompt_passes_the_common_check(caption, dimensions, seed):
    prompt = rewrite(caption, dimensions, seed)
    assert prompt_faults(prompt, caption=caption, dimensions=dimensions) == []
    assert prompt == rewrite(caption, dimensions, seed)


@settings(max_examples=100)
@given(
    st.sampled_from(CAPTIONS),
    st.lists(st.sampled_from(sorted(DIMENSIONS)), min_size=1, max_size=4, unique=True),
    st.integers(0, 99),
)
def test_a_prompt_is_made_of_whole_sentences(caption, dimensions, seed):
    prompt = rewrite(caption, dimensions, seed)
    sentences = re.split(r"(?<=\.) ", prompt)
    assert all(s[0] == s[0].upper() and s.endswith(".") for s in sentences)
    assert "  " not in prompt
    assert ".." not in prompt
    assert not re.search(r"in which [^:]*;", prompt)


def test_seeds_and_captions_vary_the_wording():
    assert len({rewrite(CAPTIONS[0], ["clarity", "emotion"], seed) for seed in range(40)}) > 15
    endings = {rewrite(f"A cat number {i}", ["clarity"]).partition(".")[2] for i in range(40)}
    assert len(endings) >= 4


def test_the_words_of_a_version_stay_what_they_are():
    # A change of phrases must raise VERSION: tables name it.
    assert load_rewriter("template").describe() == "template-1"
    assert rewrite(CAPTIONS[0], ["clarity", "emotion"]) == (
        "A man plays frisbee on a beach by the ocean. "
        "Everything is blurred and grainy; the mood is gloomy and bleak."
    )


@pytest.mark.parametrize("n", range(30, 70))
def test_a_long_caption_gets_short_phrases_or_is_refused_never_cut(n):
    caption = " ".join(["word"] * n)
    asked = ("clarity", "main object", "emotion", "background")
    shortest = sum(min(map(n_words, PHRASES[name])) for name in asked)
    if n + shortest <= 70:
        prompt = rewrite(caption, asked)
        assert n_words(prompt) <= 70
        assert prompt.lower().split().count("word") >= n - 1
    else:
        with pytest.raises(RewriteError, match=f"a caption of {n} words leaves no room for 4"):
            rewrite(caption, asked)


@pytest.mark.parametrize(
    ("caption", "dimensions", "message"),
    [
        (" ", ("clarity",), "the caption is empty. Give"),
        ("a cat", (), "Name one or more, each once"),
        ("a cat", ("clarity", "clarity"), "Name one or more, each once"),
        ("a cat", ("colour",), "no dimension is called 'colour'. There are: clarity"),
    ],
)
def test_a_senseless_request_is_refused(caption, dimensions, message):
    with pytest.raises(InputError, match=re.escape(message)):
        RewriteRequest(caption=caption, dimensions=dimensions)


def test_an_unknown_rewriter_is_told_the_near_names():
    with pytest.raises(UnknownNameError, match="Did you mean template"):
        load_rewriter("templates")


def test_dimensions_are_asked_for_equally_often():
    for n in (1, 7, 50, 300):
        assigned = assign_dimensions(n, seed=3)
        counts = [sum(name in each for each in assigned) for name in ASKED]
        assert max(counts) - min(counts) <= 1
        assert all(2 <= len(each) <= 4 == len(ASKED) - 7 for each in assigned)
        assert assigned == assign_dimensions(400, seed=3)[:n]
    sizes = [len(each) for each in assign_dimensions(300)]
    assert [sizes.count(n) for n in (2, 3, 4)] == [100, 100, 100]
    assert "symmetry" not in ASKED
    assert len(ASKED) == 11
    assert assign_dimensions(20, seed=0) != assign_dimensions(20, seed=1)


def test_impossible_numbers_of_dimensions_are_refused():
    with pytest.raises(InputError, match="Give 1 to 11, in order"):
        assign_dimensions(3, fewest=4, most=3)


@pytest.mark.parametrize(
    ("name", "has"), [("template", "It has none"), ("endpoint", "It has: model, cache, rounds")]
)
def test_an_option_that_a_rewriter_lacks_is_told_with_those_it_has(name, has):
    with pytest.raises(InputError, match=f"the {name} rewriter has no option 'modle'. {has}"):
        load_rewriter(name, modle="m")


def test_an_unknown_rewriter_is_told_with_the_known_ones():
    with pytest.raises(UnknownNameError, match=r"called 'templat'\. Did you mean template\? There"):
        load_rewriter("templat")
