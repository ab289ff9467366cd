import json

import pandas as pd
import pytest
from datasets import Dataset

from aas_bench.counterfactual.effects import EFFECTS
from aas_bench.counterfactual.reading import requested_effects
from aas_bench.counterfactual.scenes import SCENES
from aas_bench.errors import InputError, SchemaError
from aas_bench.run.prompts import N_PUBLISHED, PUBLISHED, load_prompts
from aas_bench.tables.open import Opened

ROWS = [
    {"index": 7, "prompt_original": "a cat", "prompt_distorted": "a blurred cat", "dimensions": []},
    {
        "index": 2,
        "prompt_original": "a dog",
        "prompt_distorted": "a dark dog",
        "dimensions": ["color-brightness"],
    },
]


def saved(rows, path):
    if path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    elif path.suffix == ".csv":
        frame = pd.DataFrame(rows)
        frame["dimensions"] = frame["dimensions"].map(json.dumps)
        frame.to_csv(path, index=False)
    else:
        Dataset.from_list(rows).to_parquet(str(path))
    return path


@pytest.mark.parametrize("suffix", [".jsonl", ".csv", ".parquet"])
def test_files_keep_order_index_and_dimensions(suffix, tmp_path):
    read = load_prompts(saved(ROWS, tmp_path / f"p{suffix}")).prompts
    assert [(p.index, p.cluster) for p in read] == [(7, 7), (2, 2)]
    assert [p.original for p in read] == ["a cat", "a dog"]
    assert [p.distorted for p in read] == ["a blurred cat", "a dark dog"]
    assert [p.dimensions for p in read] == [(), ("color-brightness",)]


def test_the_published_columns_are_read_as_they_are_misspelt_and_300_of_them(monkeypatch):
    rows = [
        {
            "original_prompt": f"caption {i}",
            "disorted_long_prompt": f"ugly {i}",
            "selected": "['background']",
            "negative_prompt": "beauty" if i else "",
        }
        for i in range(310)
    ]
    asked = []

    def load(name, options):
        asked.append((name, options.split, options.revision))
        return Opened(data=Dataset.from_list(rows), name=name)

    monkeypatch.setattr("aas_bench.run.prompts.open_source", load)
    prompts = load_prompts(PUBLISHED, revision="abc").prompts
    assert asked == [(PUBLISHED, "train", "abc")]
    assert len(prompts) == N_PUBLISHED == 300
    assert (prompts[5].index, prompts[5].original, prompts[5].distorted) == (
        5,
        "caption 5",
        "ugly 5",
    )
    assert prompts[5].dimensions == ("background",)
    assert [p.negative for p in prompts[:2]] == [None, "beauty"]
    assert len(load_prompts(PUBLISHED, limit=4).prompts) == 4


def test_built_in_prompts_vary_from_the_first_and_ask_for_their_effect():
    prompts = load_prompts().prompts
    assert [p.index for p in prompts] == list(range(len(prompts)))
    first = prompts[: len(SCENES)]
    assert len({p.scene for p in first}) >= len(SCENES) - 2
    assert len({p.effect for p in first}) >= len(SCENES) - 2
    for prompt in prompts:
        assert prompt.scene not in EFFECTS[prompt.effect].excluded
        assert prompt.effect in requested_effects(prompt.distorted)
        assert requested_effects(prompt.original) == ()
        assert prompt.cluster == list(SCENES).index(prompt.scene)
    assert len({(p.scene, p.effect) for p in prompts}) == len(prompts)


def test_the_hash_covers_every_prompt(tmp_path):
    one = load_prompts(saved(ROWS, tmp_path / "a.jsonl"))
    same = load_prompts(saved(ROWS, tmp_path / "b.jsonl"))
    other = load_prompts(
        saved([ROWS[0], {**ROWS[1], "prompt_distorted": "a dim dog"}], tmp_path / "c.jsonl")
    )
    assert one.sha256 == same.sha256
    assert one.sha256 != other.sha256
    assert one.sha256 != load_prompts(tmp_path / "a.jsonl", limit=1).sha256


def test_all_faults_are_told_at_once(tmp_path):
    rows = [
        {**ROWS[0], "prompt_original": " "},
        {**ROWS[1], "index": -1},
        ROWS[0],
        ROWS[0],
    ]
    with pytest.raises(SchemaError, match="Mend these rows") as caught:
        load_prompts(saved(rows, tmp_path / "p.jsonl"))
    for fault in ("row 0: prompt_original ' '", "row 1: index -1", "index 7 stands 2 times"):
        assert fault in str(caught.value)


def test_what_cannot_be_asked_for(tmp_path):
    with pytest.raises(SchemaError, match=r"no column prompt_distorted. Add it"):
        load_prompts(saved([{"prompt_original": "a"}], tmp_path / "p.jsonl"))
    with pytest.raises(InputError, match=r"no such file. Check the path"):
        load_prompts(tmp_path / "absent.jsonl")
    with pytest.raises(InputError, match=r"limit is 0. Give at least 1"):
        load_prompts(limit=0)
    with pytest.raises(InputError, match=r"has no revision. Leave it out"):
        load_prompts(revision="main")
