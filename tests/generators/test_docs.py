from __future__ import annotations

import re
from pathlib import Path

import yaml

from aas_bench.generators.pipelines import PIPELINES
from aas_bench.generators.spec import Submission, load_submission

PAGE = (Path(__file__).parents[2] / "docs" / "submit-a-generator.md").read_text(encoding="utf-8")


def test_the_example_is_a_valid_submission(tmp_path):
    example = re.search(r"```yaml\n(.*?)```", PAGE, re.DOTALL).group(1)
    path = tmp_path / "x.yaml"
    path.write_text(example)
    assert load_submission(path).id == yaml.safe_load(example)["id"]


def test_every_class_and_field_is_on_the_page():
    table = re.findall(r"^\| `(\w+Pipeline)` \|", PAGE, re.MULTILINE)
    assert set(table) == set(PIPELINES)
    for field in Submission.model_fields:
        assert f"`{field}" in PAGE, field


def test_image_to_image_is_told_as_the_table_has_it():
    rows = re.findall(r"^\| `(\w+Pipeline)` \|[^|]*\| (yes|no)", PAGE, re.MULTILINE)
    assert {name: word == "yes" for name, word in rows} == {
        name: row.image_to_image is not None for name, row in PIPELINES.items()
    }
