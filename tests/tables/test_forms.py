import pytest

from aas_bench.errors import SchemaError
from aas_bench.tables.forms import FORMS, match_form
from aas_bench.tables.schema import IMAGE_COLUMNS, PROMPT_DISTORTED


@pytest.mark.parametrize("form", FORMS, ids=lambda form: "+".join(form.needs))
def test_a_table_with_just_what_a_form_needs_is_of_that_form(form):
    assert match_form(form.needs, "t") is form
    assert form.lacks([*form.needs, "more"]) == []
    for needed in form.needs:
        assert form.lacks([n for n in form.needs if n != needed]) == [needed]


@pytest.mark.parametrize("form", FORMS, ids=lambda form: "+".join(form.needs))
def test_every_pair_of_a_form_has_its_images_and_a_prompt(form):
    for pair in form.pair_columns:
        ours = {n: pair.renames(form.needs).get(n, n) for n in form.needs}
        images = set(ours.values()) & set(IMAGE_COLUMNS)
        assert images == (set(IMAGE_COLUMNS[1:]) if pair.alone else set(IMAGE_COLUMNS))
        assert pair.emotion is not None or PROMPT_DISTORTED in ours.values()
        assert set(form.images) <= set(form.needs)


def test_canonical_columns_come_before_all_other_readings():
    every = {name for form in FORMS for name in form.needs}
    assert match_form(every, "t").name == "pairs"


def test_the_nearest_form_is_the_one_with_the_largest_share_there():
    columns = ["happy_image", "sad_image", "angry_image", "prompt"]
    with pytest.raises(
        SchemaError, match=r"^here: .*\(emotions\) has .* and also needs fearful_image; the"
    ):
        match_form(columns, "here")
