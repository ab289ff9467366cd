import json
import re
import sys

import pyarrow.parquet as pq
import pytest
from datasets import Dataset, List, Value
from support import author_tables, coco_captions, scripts
from support.generator_runs import prompts, run
from support.loopback_apis import CHAT, Service, openai_error, openrouter_answer
from support.round_trip import round_trip

from aas_bench.errors import InputError, SchemaError
from aas_bench.publish.build import build
from aas_bench.rewriters.prompt_checks import prompt_faults
from aas_bench.run.prompts import load_prompts
from aas_bench.tables.pairs import load_pairs
from aas_bench.tables.schema import PAIR_COLUMNS
from aas_bench.tasks.taxonomy import DIMENSIONS

SECRET = "sk-secret-0123456789abcdef"
REFUSED = {(1, "distorted"): ("refused", "blood"), (2, "original"): ("failed", "HTTP 500")}


@pytest.fixture(scope="module")
def script():
    return scripts.script("wide_spectrum")


@pytest.fixture
def coco(tmp_path):
    return coco_captions.write(tmp_path / "captions_val2014.json")


@pytest.fixture
def benchmark(tmp_path):
    file = tmp_path / "benchmark.parquet"
    author_tables.dataset(author_tables.benchmark_rows()).to_parquet(file)
    return file


@pytest.fixture
def prompt_table(tmp_path):
    """`weathon/anti_aesthetics_dataset` in small."""
    rows = [
        {
            "original_prompt": f"a cat number {i}",
            "disorted_long_prompt": f"a blurred cat number {i}" + " very" * 70 * (i == 2),
            "selected": ["clarity", "emotion"],
            "desc": f"blur it, take {i}",
        }
        for i in range(3)
    ]
    file = tmp_path / "prompts.parquet"
    Dataset.from_list(rows).to_parquet(file)
    return file


def the_prompts(script, *sources, **options):
    return script.WideSpectrumPrompts(source=tuple(map(str, sources)), **options)


def the_pairs(script, *sources, **options):
    return script.WideSpectrumPairs(source=tuple(map(str, sources)), **options)


def made(builder, out):
    return build([builder], out, progress=False)


def test_authors_tables_and_captions_go_to_a_hub_and_come_back(
    script, loopback_hub, benchmark, coco, tmp_path, monkeypatch
):
    sources = (benchmark, coco)
    builders = [the_pairs(script, *sources), the_prompts(script, *sources, captions=7)]
    built = round_trip(loopback_hub, builders, tmp_path / "b", monkeypatch=monkeypatch)
    assert [(c.name, c.n_rows, c.n_faults) for c in built.configs] == [
        ("pairs", 12, 0),
        ("prompts", 7, 0),
    ]
    assert built.task.hub_id == "weathon/aas_wide_spectrum"


def test_runs_and_a_prompt_table_go_to_a_hub_and_come_back(
    script, loopback_hub, prompt_table, tmp_path, monkeypatch
):
    run(tmp_path / "flux", prompts(), verdicts=REFUSED)
    run(tmp_path / "sdxl", prompts())
    sources = (tmp_path / "flux", prompt_table, tmp_path / "sdxl")
    builders = [the_pairs(script, *sources), the_prompts(script, *sources)]
    built = round_trip(loopback_hub, builders, tmp_path / "b", monkeypatch=monkeypatch)
    assert [(c.n_rows, c.n_faults) for c in built.configs] == [(6, 2), (3, 0)]


def test_sampled_captions_become_checked_prompts(script, coco, tmp_path):
    built = made(the_prompts(script, coco, captions=10, seed=5), tmp_path / "b")
    table = scripts.rows(built.path, "prompts")
    known = {a["id"]: a for a in coco_captions.document()["annotations"]}
    for number, row in enumerate(table):
        caption = known[row["coco_caption_id"]]
        asked = row["dimensions"]
        assert row["index"] == number
        assert row["coco_image_id"] == caption["image_id"]
        assert row["prompt_original"] == " ".join(caption["caption"].split())
        assert row["rewriter"] == "template-1"
        assert row["n_words"] == len(row["prompt_distorted"].split()) <= 70
        assert 2 <= len(asked) <= 4
        assert "symmetry" not in asked
        found = prompt_faults(
            row["prompt_distorted"], caption=row["prompt_original"], dimensions=asked
        )
        assert found == []
    assert len({row["coco_image_id"] for row in table}) == 10


def test_a_seed_makes_the_same_prompts_and_another_makes_others(script, coco, tmp_path):
    first, again, other = (
        scripts.rows(
            made(the_prompts(script, coco, captions=8, seed=s), tmp_path / name).path, "prompts"
        )
        for name, s in (("a", 0), ("b", 0), ("c", 1))
    )
    assert first == again
    assert [r["prompt_distorted"] for r in first] != [r["prompt_distorted"] for r in other]


def test_every_field_of_the_authors_prompts_is_kept_and_length_is_flagged(
    script, prompt_table, tmp_path
):
    built = made(the_prompts(script, prompt_table), tmp_path / "b")
    for i, row in enumerate(scripts.rows(built.path, "prompts")):
        assert (row["prompt_original"], row["desc"]) == (f"a cat number {i}", f"blur it, take {i}")
        assert row["dimensions"] == ["clarity", "emotion"]
        assert (row["coco_image_id"], row["rewriter"], row["index"]) == (None, None, i)
    assert scripts.notes(built.path, "flag") == [("2", "the prompt has 75 words; the most is 70")]


def test_built_prompts_can_be_run_and_their_runs_built(script, coco, tmp_path):
    built = made(the_prompts(script, coco, captions=3), tmp_path / "b")
    loaded = load_prompts(built.path)
    table = scripts.rows(built.path, "prompts")
    assert [p.distorted for p in loaded.prompts] == [r["prompt_distorted"] for r in table]
    assert all(set(p.dimensions) <= set(DIMENSIONS) for p in loaded.prompts)
    run(tmp_path / "flux", loaded, scored=False)
    options = {"prompts": str(built.path)}
    pairs = load_pairs(made(the_pairs(script, tmp_path / "flux", **options), tmp_path / "p").path)
    assert pairs["dimensions"][:] == [list(p.dimensions) for p in loaded.prompts]
    assert pairs["prompt_distorted"][:] == [p.distorted for p in loaded.prompts]


def test_prompts_are_found_beside_pairs(script, coco, benchmark, tmp_path):
    sources = (coco, benchmark)
    both = [the_pairs(script, *sources), the_prompts(script, *sources, captions=4)]
    built = build(both, tmp_path / "b", progress=False)
    table = scripts.rows(built.path, "prompts")
    loaded = load_prompts(built.path).prompts
    assert [p.distorted for p in loaded] == [row["prompt_distorted"] for row in table]


def test_the_authors_tables_are_read_from_a_hub(loopback_hub, prompt_table, benchmark, tmp_path):
    name = "data/train-00000-of-00001.parquet"
    loopback_hub.add("weathon/anti_aesthetics_dataset", {name: prompt_table.read_bytes()})
    loopback_hub.add("weathon/aas_benchmark_final", {name: benchmark.read_bytes()})
    done = loopback_hub.run(
        *(sys.executable, str(scripts.SCRIPTS / "wide_spectrum.py")),
        *("--source", "weathon/anti_aesthetics_dataset"),
        *("--source", "weathon/aas_benchmark_final", "--dry-run", str(tmp_path / "b")),
    )
    assert done.returncode == 0, done.stderr
    assert "pairs: 12 rows of 12 items" in done.stdout
    assert "prompts: 3 rows of 3 items" in done.stdout


def test_the_canonical_form_is_that_of_the_authors_own_table(script, benchmark, tmp_path):
    built = made(the_pairs(script, benchmark), tmp_path / "b")
    theirs, ours = load_pairs(benchmark), load_pairs(built.path)
    assert {**theirs.features, **ours.features} == ours.features | {
        n: theirs.features[n] for n in theirs.features if n not in ours.features
    }
    for name in PAIR_COLUMNS:
        assert ours.features[name] == theirs.features[name], name
    mine, yours = scripts.undecoded(ours), scripts.undecoded(theirs)
    structs = {"llm_judge", "rater"}
    for row, original in zip(mine, yours, strict=True):
        assert {n: row[n] for n in original if n not in structs} == {
            n: v for n, v in original.items() if n not in structs
        }
        for field, value in original["llm_judge"].items():
            assert row[field] == value
        for side in ("original", "distorted"):
            for field, value in original["rater"][side].items():
                assert row[f"rater_{side}_{field}"] == value
    assert len(mine) == 12


def test_the_schema_is_clean(script, benchmark):
    features = the_pairs(script, benchmark).info.features
    assert list(features)[:4] == [
        "image_original",
        "image_distorted",
        "prompt_distorted",
        "prompt_original",
    ]
    assert features["label"] == Value("int8")
    assert features["dimensions"] == List(Value("string"))
    assert not any(isinstance(feature, dict) for feature in features.values())
    assert features["hpsv3_didp"].dtype == features["hpsv3_didp_sigma"].dtype == "float64"


@pytest.mark.parametrize("label", ["majority", "blip_selected"])
def test_another_vote_can_be_the_label(label, script, benchmark, tmp_path):
    built = made(the_pairs(script, benchmark, label=label), tmp_path / "b")
    theirs, ours = load_pairs(benchmark, label=label), load_pairs(built.path)
    assert ours["label"][:] == theirs["label"][:]
    assert ours["label_source"][:] == theirs["label_source"][:]


def test_what_a_run_did_not_make_is_left_out_with_its_reason(script, tmp_path):
    folder = run(tmp_path / "flux", prompts(), verdicts=REFUSED)
    built = made(the_pairs(script, folder), tmp_path / "b")
    assert scripts.notes(built.path) == [
        (f"{folder} prompt 1", "the distorted image was refused: blood"),
        (f"{folder} prompt 2", "the original image was failed: HTTP 500"),
    ]
    pairs = load_pairs(built.path)
    assert pairs["pair_id"][:] == ["flux/0000", "flux/0003"]
    assert pairs["label"][:] == [-1, -1]
    assert pairs["dimensions"][:] == [["clarity"], ["clarity", "emotion"]]
    for pair in pairs:
        for role in ("original", "distorted"):
            file = folder / "images" / f"{pair['prompt_index']:04d}_{role}.png"
            red = pair[f"image_{role}"].getpixel((0, 0))[0]
            cell = {"original": "oi", "distorted": "di"}[role]
            for asked, end in (("original", "op"), ("distorted", "dp")):
                score = pair[f"length_{cell}{end}"]
                assert score == pytest.approx(len(pair[f"prompt_{asked}"]) + red / 1000)
            assert file.is_file()
    for row, index in zip(scripts.rows(built.path, "pairs"), (0, 3), strict=True):
        content = (folder / "images" / f"{index:04d}_distorted.png").read_bytes()
        assert row["image_distorted"]["bytes"] == content


def test_a_run_that_was_not_scored_needs_its_prompts(script, tmp_path):
    folder = run(tmp_path / "flux", prompts(), scored=False)
    with pytest.raises(InputError, match="Score it, or give the table of its prompts with --pro"):
        the_pairs(script, folder)
    table = tmp_path / "p.jsonl"
    asked = [
        {"prompt_original": p.original, "prompt_distorted": p.distorted, "dimensions": ["clarity"]}
        for p in prompts().prompts
    ]
    asked[1]["prompt_distorted"] = "another prompt"
    table.write_text("\n".join(map(json.dumps, asked[:3])))
    built = made(the_pairs(script, folder, prompts=str(table)), tmp_path / "b")
    assert [reason for _, reason in scripts.notes(built.path)] == [
        "the images were made from other prompts than the table's",
        "the table of prompts has no such index",
    ]
    assert load_pairs(built.path)["pair_id"][:] == ["flux/0000", "flux/0002"]


def test_votes_beside_a_run_become_columns_and_the_label(script, tmp_path):
    folder = run(tmp_path / "flux", prompts())
    votes = tmp_path / "votes.jsonl"
    lines = [
        {"pair_id": "flux/0000", "llm_selected": 1, "sec_llm_selected": 0, "third_llm_selected": 0},
        {"pair_id": "flux/0001", "llm_selected": 0, "sec_llm_selected": -1},
    ]
    votes.write_text("\n".join(map(json.dumps, lines)))
    first = load_pairs(made(the_pairs(script, folder, votes=str(votes)), tmp_path / "b").path)
    assert first["label"][:] == [1, 0, -1, -1]
    assert first["llm_selected"][:] == [1, 0, None, None]
    assert first["sec_llm_selected"][:] == [0, -1, None, None]
    assert set(first["label_source"]) == {"llm_selected"}
    builder = the_pairs(script, folder, votes=str(votes), label="majority")
    assert load_pairs(made(builder, tmp_path / "c").path)["label"][:] == [0, -1, -1, -1]
    votes.write_text('{"pair_id": "flux/0000"}')
    with pytest.raises(SchemaError, match="needs pair_id and one of llm_selected"):
        the_pairs(script, folder, votes=str(votes))


def bad_pairs(folder):
    """A folder of pairs of which four lines are at fault."""
    from support.toy_pairs import picture

    for i in range(2):
        picture(i).save(folder / f"{i}.png")
    (folder / "cut.png").write_bytes((folder / "0.png").read_bytes()[:60])
    good = {
        "image_original_file_name": "0.png",
        "image_distorted_file_name": "1.png",
        "prompt_original": "a cat",
        "prompt_distorted": "a blurred cat",
        "dimensions": ["clarity"],
    }
    lines = [
        good,
        {**good, "image_distorted_file_name": "absent.png"},
        {**good, "image_original_file_name": "cut.png"},
        {**good, "dimensions": ["beauty"]},
        {**good, "prompt_distorted": "a blurred cat" + " very" * 70},
    ]
    text = "\n".join([*map(json.dumps, lines), '{"image_original'])
    (folder / "metadata.jsonl").write_text(text)
    return folder


def test_bad_rows_are_counted_and_listed_and_the_run_goes_on(tmp_path):
    source = bad_pairs(tmp_path)
    done = scripts.program("wide_spectrum", "--source", source, "--dry-run", tmp_path / "b")
    assert done.returncode == 1, done.stderr
    assert "pairs: 2 rows of 6 items in 1 files; 4 left out, 1 flags" in done.stdout
    assert "wide_spectrum.py: built with faults; see" in done.stderr
    found = scripts.notes(tmp_path / "b")
    for (item, reason), (where, what) in zip(
        found,
        [
            ("row 1", "there is no file 'absent.png'"),
            ("row 2", "image_original cannot be read as an image"),
            ("row 3", "'beauty' is not one of the dimensions clarity, "),
            ("line 6", "is not JSON"),
        ],
        strict=True,
    ):
        assert item.endswith(where)
        assert what in reason
    [(_, flag)] = scripts.notes(tmp_path / "b", "flag")
    assert flag == "the prompt has 73 words; the most is 70"
    assert len(load_pairs(tmp_path / "b")) == 2


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("captions.json", '{"annotations": []}', "captions of 0 images and 300 are wanted"),
        ("captions.json", '{"annotations": [', "is not JSON"),
        ("captions.json", None, "cannot be read"),
        ("pairs.jsonl", "", "holds no rows"),
        ("pairs.jsonl", '{"a": 1}', "no pair table of a known form"),
        ("nowhere", None, "no task is called 'nowhere'"),
    ],
)
def test_a_bad_source_is_one_line_and_exit_code_2(name, content, message, tmp_path):
    if content is not None:
        (tmp_path / name).write_text(content)
    source = tmp_path / name if "." in name else name
    out = tmp_path / "b"
    done = scripts.call("wide_spectrum", "--source", source, "--dry-run", out)
    assert (done.returncode, done.stdout) == (2, "")
    *others, line = done.stderr.splitlines()
    assert all(each.startswith("left out pairs: ") for each in others)
    assert line.startswith("wide_spectrum.py: ")
    assert message in line
    assert not list(out.glob("*/*.parquet"))


def test_bad_rows_of_a_prompt_table_are_listed(script, tmp_path):
    good = {"original_prompt": "a cat", "disorted_long_prompt": "a blurred cat"}
    lines = [
        {**good, "selected": "['clarity']"},
        {**good, "selected": "['beauty']"},
        {**good, "selected": "[clarity"},
        {**good, "original_prompt": " ", "selected": "['clarity']"},
    ]
    file = tmp_path / "p.jsonl"
    file.write_text("\n".join([*map(json.dumps, lines), "nonsense"]))
    built = made(the_prompts(script, file), tmp_path / "b")
    reasons = [reason for _, reason in scripts.notes(built.path)]
    assert [row["index"] for row in scripts.rows(built.path, "prompts")] == [0]
    for reason, told in zip(
        reasons,
        ["'beauty' is not one of", "is not a list of", "prompt_original is no text", "is not JSON"],
        strict=True,
    ):
        assert told in reason


def answers_of(service, request):
    """A prompt that passes, made of what was asked."""
    task = json.loads(request["messages"][1]["content"])
    clauses = " and ".join(each["for example"] for each in task["requests"])
    return f"{task['caption'].rstrip('.')}, {clauses}."


class Obliging(Service):
    """Answers every question well, but for captions that hold a word of `troubles`."""

    def __init__(self):
        super().__init__()
        self.troubles = {}

    def _take(self, asked):
        super()._take(asked)
        caption = json.loads(asked.body["messages"][1]["content"])["caption"]
        for word, reply in self.troubles.items():
            if word in caption:
                return reply
        return openrouter_answer(content=json.dumps({"prompt": answers_of(self, asked.body)}))


def test_an_endpoint_is_asked_only_for_what_is_missing(coco, tmp_path, monkeypatch):
    pytest.importorskip("openai")
    monkeypatch.setenv("OPENAI_API_KEY", SECRET)
    out, cache = tmp_path / "b", tmp_path / "cache"

    def call(service):
        arguments = ["--rewriter", "endpoint", "--model", "m-1", "--base-url", service.url]
        timeout = 5 + len(service.asked)  # another patience goes on with the same build
        more = ["--captions", 8, "--cache", cache, "--timeout", timeout, "--dry-run", out]
        done = scripts.call("wide_spectrum", "--source", coco, *arguments, *more)
        assert SECRET not in done.stdout + done.stderr
        return done

    with Obliging().running() as service:
        service.troubles = {"canoe": openrouter_answer(content="What a day!")}
        service.troubles["truck"] = openai_error(401, message=f"no, {SECRET}")
        first = call(service)
        assert first.returncode == 1, first.stderr
        n_asked = len(service.asked)
        faults = [reason for _, reason in scripts.notes(out)]
        table = scripts.rows(out, "prompts")
        assert len(table) + len(faults) == 8
        assert all(
            re.match(r"no usable prompt in 3 answers|HTTP 401: no, \[key\]", f) for f in faults
        )
        assert {row["rewriter"] for row in table} == {"endpoint:m-1"}
        assert not any("canoe" in r["prompt_original"] for r in table)
        service.troubles = {}
        second = call(service)
        assert second.returncode == 0, second.stderr
        assert len(service.asked) == n_asked + len(faults)
        whole = scripts.rows(out, "prompts")
        assert [row["index"] for row in whole] == list(range(8))
        assert [row for row in whole if row in table] == table
        assert call(service).returncode == 0
        assert len(service.asked) == n_asked + len(faults)
    assert faults, "the sample must hold one of the two captions"
    kept = [p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()]
    assert not any(SECRET.encode() in content for content in kept)


def test_an_endpoint_that_is_down_leaves_a_list_and_can_be_gone_on_with(coco, tmp_path):
    pytest.importorskip("openai")
    out = tmp_path / "b"
    source = ["--source", coco, "--captions", 5, "--dry-run", out, "--cache", tmp_path / "c"]
    arguments = ["--rewriter", "endpoint", "--model", "m-1", "--timeout", 2, "--concurrency", 1]
    with Service().running() as service:
        service.answer(CHAT, openai_error(401, message="down"))
        down = scripts.program(
            "wide_spectrum", *source, *arguments, OPENAI_API_KEY=SECRET, OPENAI_BASE_URL=service.url
        )
        assert down.returncode == 1, down.stderr
        assert len(service.asked) == 3
    reasons = [reason for _, reason in scripts.notes(out)]
    assert [reason.split(":")[0] for reason in reasons] == ["HTTP 401"] * 3 + ["not asked"] * 2
    assert pq.read_table(out / "prompts").num_rows == 0


def test_no_key_is_one_line(coco, tmp_path):
    pytest.importorskip("openai")
    done = scripts.program(
        "wide_spectrum",
        *("--source", coco, "--captions", 3, "--rewriter", "endpoint", "--model", "m"),
        *("--dry-run", tmp_path / "b"),
        OPENAI_API_KEY=None,
    )
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 2  # the other configuration is left out, and why
    assert "Set the environment variable OPENAI_API_KEY" in done.stderr


@pytest.mark.real
def test_the_authors_sample_keeps_every_field(script, real_data, tmp_path):
    source = real_data / "wide_spectrum" / "pairs.jsonl"
    built = made(the_pairs(script, source), tmp_path / "b")
    assert built.n_faults == 0
    ours, theirs = load_pairs(built.path), load_pairs(source)
    lines = map(json.loads, source.read_text(encoding="utf-8").splitlines())
    for row, whole, line in zip(ours, theirs, lines, strict=True):
        for name in PAIR_COLUMNS:
            same = row[name].tobytes() == whole[name].tobytes() if "image" in name else True
            assert same if "image" in name else row[name] == whole[name]
        for name in ("index", "prompt_original", "prompt_distorted", "hpsv3_oidp", "hpsv3_didp"):
            assert row[name] == line[name]
        assert row["dimensions"] == line["selected_dims"]
