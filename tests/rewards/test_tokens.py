"""Token ids against the goldens, and the laws of cutting and padding."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import golden_weights as made

torch = pytest.importorskip("torch")

from support import tiny_tokenizers  # noqa: E402
from support.tiny_shapes import write_vocabulary  # noqa: E402

from aas_bench.rewards.tokens import (  # noqa: E402
    PromptTokens,
    bert_tokens,
    clip_tokens,
    folder_tokens,
    open_clip_tokens,
)

FAMILY = {
    "hps": open_clip_tokens,
    "hpsv2.1": open_clip_tokens,
    "pickscore": clip_tokens,
    "clip-l": clip_tokens,
}


@pytest.mark.parametrize("name", FAMILY)
def test_clip_ids_are_the_goldens(name):
    golden, tokens = made.golden(name), FAMILY[name]()
    assert [tokens.cut(prompt) for prompt in golden["prompts"]] == golden["checks"]["token_ids"]


def test_the_two_clip_families_part_on_quotes_and_entities():
    prompt = made.golden("hps")["prompts"][2]
    assert len(open_clip_tokens().encode(prompt)) == 26
    assert len(clip_tokens().encode(prompt)) == 30


@given(st.text(max_size=400))
@settings(deadline=None, max_examples=60)
def test_cut_ids_fit_keep_both_ends_and_begin_as_the_whole(prompt):
    for tokens in (open_clip_tokens(), clip_tokens()):
        whole, cut = tokens.encode(prompt), tokens.cut(prompt)
        assert len(cut) == min(len(whole), 77)
        assert cut[:-1] == whole[: len(cut) - 1]
        assert cut[-1] == whole[-1] == tokens.end
        assert tokens.truncated([prompt])[0] == (len(whole) > 77)


def letters(prompt):
    return [1, *(10 + ord(letter) - ord("a") for letter in prompt), 2]


def test_padding_fills_to_the_longest_or_to_the_limit():
    tokens = PromptTokens(family="letters", encode=letters, limit=6, pad=0, end=2)
    rows = [tokens.cut(prompt) for prompt in ("ab", "", "abcdefgh")]
    assert rows == [[1, 10, 11, 2], [1, 2], [1, 10, 11, 12, 13, 2]]
    ids, mask = tokens.padded(rows[:2], "cpu")
    assert ids.tolist() == [[1, 10, 11, 2], [1, 2, 0, 0]]
    assert mask.tolist() == [[1, 1, 1, 1], [1, 1, 0, 0]]
    to_limit = PromptTokens(family="letters", encode=letters, limit=6, pad=9, to_limit=True)
    assert to_limit.padded(rows[1:2], "cpu")[0].tolist() == [[1, 2, 9, 9, 9, 9]]
    assert to_limit.cut("abcdefgh") == [1, 10, 11, 12, 13, 14]
    assert tokens.lengths(["ab", "abcdefgh"]).tolist() == [4, 6]


def test_without_a_limit_nothing_is_cut():
    tokens = PromptTokens(family="letters", encode=letters, limit=None, pad=0)
    assert not tokens.truncated(["a" * 10_000]).any()
    assert len(tokens.cut("a" * 100)) == 102


def test_bert_lower_cases_and_splits_into_pieces(tmp_path):
    tokens = bert_tokens(write_vocabulary(tmp_path / "vocab.txt"), limit=35)
    ids = tokens.encode("Ab c")
    words = (tmp_path / "vocab.txt").read_text().splitlines()
    assert [words[i] for i in ids] == ["[CLS]", "a", "##b", "c", "[SEP]"]
    assert (tokens.pad, tokens.end) == (0, 102)


def test_a_folders_tokenizer_can_be_told_to_lower_case(tmp_path):
    tiny_tokenizers.qwen().save_pretrained(tmp_path)
    as_is, lowered = (
        folder_tokens(tmp_path, limit=64, to_limit=True, lower=lower) for lower in (False, True)
    )
    assert as_is.encode("A Fox") != as_is.encode("a fox")
    assert lowered.encode("A Fox") == as_is.encode("a fox")
