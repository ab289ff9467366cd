"""What a prompt asks for, on wordings that the word lists were not written from."""

import json

import pytest

from aas_bench.counterfactual.effects import EFFECTS
from aas_bench.counterfactual.reading import requested_effects
from aas_bench.counterfactual.scenes import SCENES

HELD_OUT = {
    "clarity": (
        "A man on a bench, lost in heavy blur and noise with indistinct edges.",
        "Grainy and pixelated, the harbour is hard to make out.",
        "The photograph lacks sharpness; a fuzzy view of a train.",
    ),
    "color-brightness": (
        "A kitchen in dim, faded colours.",
        "The bus is shown in muted, greyish tones, far too dark.",
        "Poor colour brightness makes the garden look underexposed.",
    ),
    "color-aesthetic": (
        "A bedroom in garish, discordant colours.",
        "The colour combination is disharmonious and unpleasant.",
        "A parrot with a nauseating neon palette.",
    ),
    "lighting-distinction": (
        "A street without any light and shadow.",
        "The lighting is poor and uniform, giving no depth.",
        "Flatly lit faces with weak contrast.",
    ),
    "detail-refinement": (
        "A bicycle with rough, poorly executed details.",
        "The hands are broken and unfinished, with no fine detail.",
        "Clumsy, unrefined workmanship on the clock.",
    ),
    "detail-realism": (
        "A dog with warped, unnatural fur that looks unreal.",
        "Fake, plastic fruit on every plate.",
        "A horse that is not lifelike, obviously artificial.",
    ),
    "background": (
        "A cat in front of a messy, hideous background.",
        "No background at all, only a vase.",
        "A child with ugly surroundings.",
    ),
    "main-object": (
        "The bear is small and peripheral, barely noticeable.",
        "A bird that is tiny and hidden at the rim.",
        "The subject is inconspicuous and hard to find.",
    ),
    "richness": (
        "A monotonous beach with hardly anything in it.",
        "An empty, barren room.",
        "The scene lacks richness and variety.",
    ),
    "object-pairing": (
        "A table with mismatched things in absurd proportion.",
        "An incompatible pair: a toaster and a whale.",
        "The items have no relation to each other.",
    ),
    "emotion": (
        "A birthday party full of grief and fear.",
        "The street feels eerie and hopeless.",
        "A depressing, miserable wedding.",
    ),
    "symmetry": (
        "An asymmetrical bridge, off-centre.",
        "The layout is unbalanced.",
        "A temple that lacks symmetry.",
    ),
}
ASKS_FOR_NOTHING = (
    "",
    "A dog runs across a meadow.",
    "A sharp photograph, not blurry at all.",
    "It is never out of focus.",
    "No clashing colours, please.",
    "A picnic without any gloom or sorrow.",
    "The background is beautiful.",
    "A well balanced picture in bright and vivid colours.",
    "Rich detail, realistic surfaces, strong light and deep shadow.",
    "The subject is prominent and not hidden.",
    "A rich scene that isn't empty.",
    "Parts that go together well, with nothing out of place.",
)


@pytest.mark.parametrize(
    ("effect", "prompt"), [(e, p) for e, prompts in HELD_OUT.items() for p in prompts]
)
def test_other_words_for_it_are_read(effect, prompt):
    read = requested_effects(prompt)
    assert effect in read
    assert len(read) <= 2


def test_every_effect_has_held_out_words():
    assert set(HELD_OUT) == set(EFFECTS)


@pytest.mark.parametrize("prompt", ASKS_FOR_NOTHING)
def test_a_plain_or_denying_prompt_asks_for_nothing(prompt):
    assert requested_effects(prompt) == ()


@pytest.mark.parametrize("effect", EFFECTS.values(), ids=lambda effect: effect.name)
def test_our_requests_ask_for_their_effect_and_no_other(effect):
    for scene in SCENES.values():
        for wording in range(len(effect.requests)):
            assert requested_effects(effect.prompt(scene, wording=wording)) == (effect.name,)


def test_two_requests_are_both_read_in_any_case():
    read = requested_effects("A BLURRY street; the mood is bleak, not symmetrical.")
    assert read == ("clarity", "emotion", "symmetry")


def test_a_denial_reaches_its_own_clause_only():
    assert requested_effects("Not dark, blurry.") == ("clarity",)
    assert requested_effects("It is not dark but blurry.") == ("clarity",)


@pytest.mark.real
def test_the_authors_prompts_are_read(real_data):
    table = real_data / "wide_spectrum" / "pairs.jsonl"
    rows = [json.loads(line) for line in table.read_text(encoding="utf-8").splitlines()]
    asked = [{d.replace(" ", "-") for d in row["selected_dims"]} for row in rows]
    read = [set(requested_effects(row["prompt_distorted"])) for row in rows]
    hits = sum(len(a & r) for a, r in zip(asked, read, strict=True))
    assert hits / sum(map(len, asked)) >= 0.9
    assert hits / sum(map(len, read)) >= 0.7
    assert all(requested_effects(row["prompt_original"]) == () for row in rows)
