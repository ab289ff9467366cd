"""One value, one verdict: whatever door it comes through, and whatever file it is kept in."""

import json

import numpy as np
import pandas as pd
import pytest
import torch
from datasets import Dataset
from support import toy_pairs

from aas_bench.errors import InputError
from aas_bench.measure.summary import summarise
from aas_bench.metric import metric_columns
from aas_bench.metric.in_memory import load_metric
from aas_bench.rewards.adapters import CallableReward
from aas_bench.tables.pairs import load_pairs
from aas_bench.tables.scores import ScoreTable, load_scores

NAN = float("nan")


def metric_score(value):
    (found,) = metric_columns.score_rows([value], (1, 2, 4))
    return found


def metric_row(value):
    ((_, found),) = metric_columns.score_rows([[1.0, value]], (2, 4))
    return found


def frame_score(value):
    column = pd.Series([value], dtype=object)
    return ScoreTable.from_frame(pd.DataFrame({"r_didp": column})).cells("r").didp[0]


def in_jsonl(tmp_path, **cells):
    (tmp_path / "t.jsonl").write_text(json.dumps(cells) + "\n")
    return tmp_path / "t.jsonl"


def callable_score(value):
    reward = CallableReward(lambda images, prompts: [value], name="r")
    return reward.combine([None], ["x"])[0]


TENSOR = torch.tensor(0.5, dtype=torch.bfloat16, requires_grad=True)
SCORES = {
    "a float": (0.5, 0.5),
    "numpy's": (np.float16(0.5), 0.5),
    "a whole number": (3, 3.0),
    "bf16 with gradient": (TENSOR, 0.5),
    "a tensor of one": (TENSOR.reshape(1), 0.5),
    "an array of one": (np.array([[0.5]]), 0.5),
    "a list of one": ([0.5], 0.5),
    "text": ("0.5", 0.5),
    "text with blanks": (" 5e-1 ", 0.5),
    "a tensor's text": ("tensor(0.5, device='cuda:0')", 0.5),
    "None": (None, NAN),
    "nan": (NAN, NAN),
    "pandas' NA": (pd.NA, NAN),
    "empty": ("", NAN),
    "true": (True, InputError),
    "a word": ("good", InputError),
    "infinite": (float("inf"), InputError),
    "infinite text": ("-inf", InputError),
    "an object": ({"a": 1}, InputError),
    "bytes": (b"0.5", InputError),
}


@pytest.mark.parametrize(("value", "expected"), SCORES.values(), ids=list(SCORES))
def test_a_score_means_the_same_at_every_door(value, expected):
    for door in (metric_score, metric_row, frame_score):
        if expected is InputError:
            with pytest.raises(InputError) as caught:
                door(value)
            assert "\n" not in str(caught.value), door
        else:
            np.testing.assert_equal(door(value), expected, err_msg=door.__name__)


@pytest.mark.parametrize(("value", "expected"), SCORES.values(), ids=list(SCORES))
def test_a_function_may_return_what_a_table_may_hold_but_nothing_missing(value, expected):
    if expected is InputError or np.isnan(expected):
        with pytest.raises(InputError):
            callable_score(value)
    else:
        assert callable_score(value) == expected


JSON = {name: (v, e) for name, (v, e) in SCORES.items() if type(v) in (int, float, str, list, bool)}


@pytest.mark.parametrize(("value", "expected"), JSON.values(), ids=list(JSON))
def test_a_score_in_json_means_the_same_in_both_tables(tmp_path, value, expected):
    (row,) = toy_pairs.rows(1, generators=("one",))
    toy_pairs.picture(1).save(tmp_path / "a.png")
    row |= {"image_original": "a.png", "image_distorted": "a.png", "r_didp": value}
    file = in_jsonl(tmp_path, **row)
    doors = (
        lambda: load_scores(file).cells("r").didp[0],
        lambda: load_pairs(file)[0]["r_didp"],
        lambda: next(iter(load_pairs(file, streaming=True)))["r_didp"],
    )
    for door in doors:
        if expected is InputError:
            with pytest.raises(InputError):
                door()
        else:
            found = door()
            assert found == expected or (np.isnan(expected) and found in (None,)) or np.isnan(found)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_a_table_of_scores_may_be_one_tensor(dtype):
    scores = [[0.25, 0.5, 1.0, 2.0], [0.5, 0.25, 2.0, 1.0], [0.5, 1.0, 2.0, 0.25]]
    for name, width in (("aas_preference", 2), ("aas_override", 4)):
        rows = [row[:width] for row in scores]
        given = torch.tensor(rows, dtype=dtype, requires_grad=True)
        metric = load_metric(name)
        expected = metric.compute(predictions=rows, references=[1, 0, 1])
        assert metric.compute(predictions=given, references=torch.tensor([1, 0, 1])) == expected
        metric.add_batch(predictions=given, references=torch.tensor([1, 0, 1], dtype=dtype))
        assert metric.compute() == expected


def test_columns_of_tensors_are_scores():
    scores = torch.tensor([[0.5], [0.25]], dtype=torch.bfloat16, requires_grad=True)
    assert metric_columns.score_rows(scores, (1, 2)) == [0.5, 0.25]
    assert metric_columns.score_rows(list(scores), (1, 2)) == [0.5, 0.25]
    both = torch.tensor([[0.5, 1.0]], dtype=torch.bfloat16, requires_grad=True)
    assert metric_columns.score_rows(both, (2,)) == [[0.5, 1.0]]
    with pytest.raises(InputError, match=r"take the first column\.$"):
        metric_columns.score_rows(both, (4,))
    wide = CallableReward(lambda images, prompts: torch.ones(len(images), 2), name="r")
    with pytest.raises(InputError, match=r"the first column, if that is the score: scores\[:, 0\]"):
        wide.combine([None] * 3, ["x"] * 3)


LABELS = {
    "one": (1, 1),
    "nought": (0.0, 0),
    "tie": (-1, -1),
    "half": (0.5, -1),
    "half in text": ("0.5", -1),
    "the word": ("tie", -1),
    "a name": ("Distorted", 1),
    "none": (None, -1),
    "nan": (NAN, -1),
    "a tensor": (torch.tensor(1), 1),
    "votes": ([1, 0, 1], 1),
    "votes in text": ("[1, 0, 0]", 0),
    "votes without majority": ([1, 0], -1),
    "two": (2, InputError),
    "a quarter": (0.25, InputError),
    "a word": ("yes", InputError),
    "a wrong vote": ([1, 5, 1], InputError),
}


@pytest.mark.parametrize(("value", "expected"), LABELS.values(), ids=list(LABELS))
def test_a_label_means_the_same_at_every_door(tmp_path, value, expected):
    def frame_label():
        column = pd.Series([value], dtype=object)
        return ScoreTable.from_frame(pd.DataFrame({"r_didp": [1.0], "label": column})).label[0]

    def pair_label():
        (row,) = toy_pairs.rows(1, generators=("one",))
        frame = pd.DataFrame({name: pd.Series([cell]) for name, cell in row.items()})
        frame["label"] = pd.Series([value], dtype=object)
        return load_pairs(frame)[0]["label"]

    for door in (lambda: metric_columns.labels([value])[0], frame_label, pair_label):
        if expected is InputError:
            with pytest.raises(InputError, match=r"row 0.* is not 1, 0 or -1"):
                door()
        else:
            assert door() == expected


PROMPTS = {
    "text": ("a cat", "a cat"),
    "a number": (42, "42"),
    "zeros": ("007", "007"),
    "blank": ("   ", InputError),
    "no width": ("\u200b\u2060", InputError),
    "tabs": ("\t\n", InputError),
    "empty": ("", InputError),
    "none": (None, InputError),
    "true": (True, InputError),
    "a list": (["a cat"], InputError),
}


@pytest.mark.parametrize(("value", "expected"), PROMPTS.values(), ids=list(PROMPTS))
def test_a_prompt_means_the_same_at_every_door(tmp_path, value, expected):
    (row,) = toy_pairs.rows(1, generators=("one",))
    toy_pairs.picture(1).save(tmp_path / "a.png")
    row |= {"image_original": "a.png", "image_distorted": "a.png", "prompt_distorted": value}
    file = in_jsonl(tmp_path, **row)
    doors = (
        lambda: metric_columns.texts("prompts", [value])[0],
        lambda: load_pairs(file)[0]["prompt_distorted"],
        lambda: next(iter(load_pairs(file, streaming=True)))["prompt_distorted"],
    )
    for door in doors:
        if expected is InputError:
            with pytest.raises(InputError, match="row 0") as caught:
                door()
            assert "\n" not in str(caught.value)
        else:
            assert door() == expected


def test_a_number_is_a_prompt_in_csv_too(tmp_path):
    toy_pairs.picture(1).save(tmp_path / "a.png")
    columns = "image_original,image_distorted,index,prompt_distorted"
    (tmp_path / "t.csv").write_text(f"{columns}\na.png,a.png,00001,042\n")
    (row,) = load_pairs(tmp_path / "t.csv")
    assert row["prompt_distorted"] == "042"
    assert row["index"] == 1


def test_a_stream_tells_of_equal_prompts_once_a_pass():
    rows = [r | {"prompt_original": r["prompt_distorted"]} for r in toy_pairs.rows(n_prompts=3)]
    stream = load_pairs(Dataset.from_list(rows).to_iterable_dataset(), streaming=True)
    for _ in range(2):
        with pytest.warns(UserWarning, match="row 0: .* are the same text") as told:
            list(stream)
        assert len([w for w in told if "same text" in str(w.message)]) == 1


@pytest.mark.parametrize("written", ["[0.94, 0.1]", "[0.94,0.1]", "array([0.94, 0.1])"])
def test_a_written_pair_of_score_and_sigma_is_both_in_pairs_too(tmp_path, written):
    row = {"pair_id": "a", "prompt_distorted": "p", "r_oidp": written, "r_didp": "0.3"}
    row |= dict.fromkeys(("image_original", "image_distorted"), "a.png")
    toy_pairs.picture(1).save(tmp_path / "a.png")
    (tmp_path / "t.jsonl").write_text(json.dumps(row) + "\n")
    (pair,) = load_pairs(tmp_path / "t.jsonl")
    assert (pair["r_oidp"], pair["r_oidp_sigma"]) == (0.94, 0.1)
    assert (pair["r_didp"], pair["r_didp_sigma"]) == (0.3, None)
    frame = load_scores(tmp_path / "t.jsonl").frame
    assert frame["r_oidp_sigma"].tolist() == [0.1]


def test_equal_prompts_are_told_with_their_rows(tmp_path):
    rows = list(toy_pairs.rows(3, generators=("one",)))
    rows[2]["prompt_distorted"] = rows[2]["prompt_original"]
    with pytest.warns(UserWarning, match=r"same text in 1 rows \(first 2, from 0\)"):
        load_pairs(toy_pairs.dataset(rows))
    frame = pd.DataFrame({"prompt_original": ["a", "b"], "prompt_distorted": ["a", "c"]})
    with pytest.warns(UserWarning, match="the same text in 1 rows"):
        ScoreTable.from_frame(frame.assign(r_didp=[1.0, 2.0]))


INDICES = {
    "text with zeros": ("00001", 1),
    "a whole float": (2.0, 2),
    "beyond floats": (2**53 + 1, 2**53 + 1),
    "the largest": (2**63 - 1, 2**63 - 1),
    "one more": (2**63, InputError),
    "two to the 64": (2**64, InputError),
    "a float that lost digits": (2.0**53, InputError),
    "a fraction": (0.5, InputError),
    "true": (True, InputError),
    "a word": ("first", InputError),
    "none": (None, InputError),
}


@pytest.mark.parametrize(("value", "expected"), INDICES.values(), ids=list(INDICES))
def test_an_index_is_exact_or_refused_at_every_door(tmp_path, value, expected):
    (row,) = toy_pairs.rows(1, generators=("one",))
    toy_pairs.picture(1).save(tmp_path / "a.png")
    row |= {"image_original": "a.png", "image_distorted": "a.png", "index": value, "r_didp": 1.0}
    file = in_jsonl(tmp_path, **row)
    for door in (
        lambda: load_scores(file).clusters[0],
        lambda: load_pairs(file)[0]["index"],
        lambda: next(iter(load_pairs(file, streaming=True)))["index"],
    ):
        if expected is InputError:
            with pytest.raises(InputError, match="row 0: index: "):
                door()
        else:
            assert door() == expected


LISTS = {
    "JSON": '["blur", "gloom"]',
    "Python": "['blur', 'gloom']",
    "numpy": "['blur' 'gloom']",
    "numpy over lines": "['blur'\n 'gloom']",
    "a tuple": "('blur', 'gloom')",
    "commas": "blur, gloom",
    "semicolons": "blur;gloom",
    "bars": "blur|gloom",
}


@pytest.mark.parametrize("text", LISTS.values(), ids=list(LISTS))
def test_a_list_in_text_is_a_list(text):
    frame = pd.DataFrame({"r_didp": [1.0], "dimensions": [text]})
    assert list(ScoreTable.from_frame(frame).frame["dimensions"][0]) == ["blur", "gloom"]


@pytest.mark.parametrize(
    "text", ["['blur''gloom']", "['blur' 'gloom' ...]", "['blur', 'gloom'", "[blur gloom]", "[1 2]"]
)
def test_a_list_that_would_be_joined_or_guessed_is_refused(text):
    frame = pd.DataFrame({"r_didp": [1.0], "dimensions": [text]})
    with pytest.raises(InputError, match=r"row 0: dimensions: .* is not a list of dimension names"):
        ScoreTable.from_frame(frame)


def test_one_name_in_brackets_is_no_row_of_letters():
    frame = pd.DataFrame({"r_didp": [1.0] * 2, "dimensions": ["('blur')", "['it\\'s']"]})
    found = [list(each) for each in ScoreTable.from_frame(frame).frame["dimensions"]]
    assert found == [["blur"], ["it's"]]


def test_one_table_gives_one_analysis_whatever_file_it_is_kept_in(tmp_path):
    rng = np.random.default_rng(5)
    n = 40
    names = np.array(["blur", "gloom", "grain, coarse", "it's"])
    frame = pd.DataFrame(
        {
            "pair_id": [f"{k:04d}" for k in range(n)],
            "index": 2**53 + 1 + np.arange(n) // 2,
            "model": rng.choice(["one", "02"], n),
            "prompt_original": [f"a cat {k}" for k in range(n)],
            "prompt_distorted": [f'a "grim", grey cat; {k}' for k in range(n)],
            "dimensions": [[str(v) for v in names[: 1 + k % 4]] for k in range(n)],
            "label": rng.choice([1, 0, -1], n),
            **{f"r_{cell}": rng.normal(size=n) for cell in ("oiop", "oidp", "diop", "didp")},
        }
    )
    frame.to_parquet(tmp_path / "a.parquet")
    frame.to_csv(tmp_path / "b.csv", index=False)
    frame.to_csv(tmp_path / "c.tsv.gz", index=False, sep="\t")
    frame.to_json(tmp_path / "d.json", double_precision=15, orient="records")
    Dataset.from_pandas(frame).to_csv(tmp_path / "e.csv")
    Dataset.from_pandas(frame).to_parquet(tmp_path / "f.parquet")
    frame.to_feather(tmp_path / "g.feather")
    rows = frame.to_dict("records")
    lines = (json.dumps(row, default=lambda value: value.item()) for row in rows)
    (tmp_path / "h.jsonl").write_text("\n".join(lines))
    arrays = frame.assign(dimensions=[np.array(each) for each in frame["dimensions"]])
    arrays.to_csv(tmp_path / "i.csv", index=False)
    found = {}
    for file in sorted(tmp_path.iterdir()):
        summary = summarise(load_scores(file), n_resamples=20).to_dict()
        del summary["provenance"]
        found[file.name] = summary
    json_rounds = found.pop("d.json")  # pandas writes 15 digits at most
    first = found["a.parquet"]
    assert len(first["rewards"]["r"]["by"]) == 4
    for name, each in found.items():
        assert each == first, name
    assert json_rounds["n_clusters"] == first["n_clusters"] == 20
