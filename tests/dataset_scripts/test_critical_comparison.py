import json

import pytest
from datasets import Dataset, Features, Image, Value
from support import author_tables, scripts
from support.generator_runs import run
from support.round_trip import round_trip

from aas_bench.errors import InputError
from aas_bench.publish.build import build
from aas_bench.run.prompts import Prompt, Prompts, load_prompts
from aas_bench.sources.own_prompts import critical_prompts
from aas_bench.tables.pairs import load_pairs
from aas_bench.tables.schema import PAIR_COLUMNS, pair_features
from aas_bench.tasks.taxonomy import AUTHORS_TOPICS

INDICES = (0, 21, 42)


@pytest.fixture(scope="module")
def script():
    return scripts.script("critical_comparison")


def asked(indices=INDICES):
    prompts = critical_prompts()
    return Prompts(
        "test",
        tuple(
            Prompt(
                index=i,
                cluster=i,
                original=prompts[i].caption,
                distorted=prompts[i].prompt,
                dimensions=(prompts[i].topic,),
            )
            for i in indices
        ),
    )


def authors_table(file, n=3):
    """`weathon/critical_comparsion` in small: two columns of images in a struct."""
    faces = {"dance_flux": Image(decode=False), "flux_krea": Image(decode=False)}
    rows = [
        {
            "index": 7 * i,
            "topic": ("anti-war", "censorship", "tech-overuse")[i % 3],
            "prompt": f"a grim picture, number {i}",
            "images": {
                "dance_flux": author_tables.embedded(2 * i),
                "flux_krea": author_tables.embedded(2 * i + 1),
            },
        }
        for i in range(n)
    ]
    types = {"index": Value("int64"), "topic": Value("string"), "prompt": Value("string")}
    Dataset.from_list(rows, features=Features({**types, "images": faces})).to_parquet(file)
    return file


def made(builder, out):
    return build([builder], out, progress=False)


def pairs_of(script, *sources, **options):
    return script.CriticalPairs(source=tuple(map(str, sources)), **options)


def runs_of(script, free, aligned, **options):
    return script.CriticalPairs(less_aligned=(str(free),), aligned=(str(aligned),), **options)


def test_authors_table_runs_and_prompts_go_to_a_hub_and_come_back(
    script, loopback_hub, tmp_path, monkeypatch
):
    table = authors_table(tmp_path / "t.parquet")
    free, aligned = run(tmp_path / "krea", asked()), run(tmp_path / "dance", asked())
    pairs = runs_of(script, free, aligned, source=(str(table),))
    built = round_trip(
        loopback_hub, [pairs, script.CriticalPrompts()], tmp_path / "b", monkeypatch=monkeypatch
    )
    assert [(c.name, c.n_rows, c.n_faults) for c in built.configs] == [
        ("pairs", 6, 0),
        ("prompts", 100, 0),
    ]
    assert built.task.hub_id == "weathon/aas_critical_comparison"


def test_the_two_column_form_comes_out_canonical(script, tmp_path):
    file = authors_table(tmp_path / "t.parquet")
    theirs, ours = load_pairs(file), load_pairs(made(pairs_of(script, file), tmp_path / "b").path)
    for name, feature in pair_features().items():
        assert ours.features[name] == feature
    for row, original in zip(scripts.undecoded(ours), scripts.undecoded(theirs), strict=True):
        same = {n: original[n] for n in PAIR_COLUMNS if n != "dimensions"}
        assert {n: row[n] for n in same} == same
        topic = AUTHORS_TOPICS.get(original["topic"], original["topic"])
        assert row["dimensions"] == [topic]
        assert row["topic"] == topic
        assert (row["prompt_original"], row["label"]) == (None, -1)


def test_two_runs_make_pairs_by_the_words_of_the_prompt(script, tmp_path):
    free = run(tmp_path / "krea", asked())
    # The other run holds the prompts in another order, one as a caption, and one of its own.
    others = [
        Prompt(index=i, cluster=i, original=p.original, distorted=p.distorted)
        for i, p in enumerate(reversed(asked().prompts))
    ]
    others[0] = Prompt(index=0, cluster=0, original=others[0].distorted, distorted="a dog")
    aligned = run(tmp_path / "dance", Prompts("test", tuple(others)))
    table = load_pairs(made(runs_of(script, free, aligned), tmp_path / "b").path)
    assert table["pair_id"][:] == [f"krea-against-dance/{i:04d}" for i in INDICES]
    assert table["prompt_original"][:] == [None] * 3
    rows = scripts.rows(tmp_path / "b", "pairs")
    for row, index, place in zip(
        rows, INDICES, ("0002_distorted", "0001_distorted", "0000_original"), strict=True
    ):
        prompt = critical_prompts()[index]
        assert row["prompt_distorted"] == prompt.prompt
        assert row["topic"] == prompt.topic
        disliked = (free / "images" / f"{index:04d}_distorted.png").read_bytes()
        assert row["image_distorted"]["bytes"] == disliked
        assert row["image_original"]["bytes"] == (aligned / f"images/{place}.png").read_bytes()
        for part in ("oidp", "didp"):
            assert len(prompt.prompt) <= row[f"length_{part}"] < len(prompt.prompt) + 1
        assert "length_oiop" not in row
    for row in table:
        for image, part in (("image_distorted", "didp"), ("image_original", "oidp")):
            red = row[image].getpixel((0, 0))[0]
            score = len(row["prompt_distorted"]) + red / 1000
            assert row[f"length_{part}"] == pytest.approx(score)


def test_a_refused_image_is_left_out_with_its_reason(script, tmp_path):
    free = run(tmp_path / "krea", asked())
    refused = {(21, "distorted"): ("refused", "politics")}
    aligned = run(tmp_path / "dance", asked(INDICES[:2]), verdicts=refused)
    built = made(runs_of(script, free, aligned), tmp_path / "b")
    assert scripts.notes(built.path) == [
        ("krea against dance prompt 21", "dance: the distorted image was refused: politics"),
        ("krea against dance prompt 42", "dance: the run was not asked for it"),
    ]
    assert load_pairs(built.path)["index"][:] == [0]


def test_a_judges_votes_become_the_label(script, tmp_path):
    free, aligned = run(tmp_path / "krea", asked()), run(tmp_path / "dance", asked())
    votes = tmp_path / "votes.jsonl"
    votes.write_text(json.dumps({"pair_id": "krea-against-dance/0021", "llm_selected": 1}))
    builder = runs_of(script, free, aligned, votes=str(votes))
    assert load_pairs(made(builder, tmp_path / "b").path)["label"][:] == [-1, 1, -1]


def test_the_prompts_can_be_run(script, tmp_path):
    built = made(script.CriticalPrompts(), tmp_path / "b")
    loaded = load_prompts(built.path).prompts
    assert [(p.original, p.distorted, p.dimensions) for p in loaded] == [
        (p.caption, p.prompt, (p.topic,)) for p in critical_prompts()
    ]
    for row in scripts.rows(built.path, "prompts"):
        assert 25 <= row["n_words"] <= 60


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"less_aligned": ("x",)}, "1 times --less-aligned and 0 times --aligned. Give them in"),
        ({"less_aligned": ("x",), "aligned": ("y",)}, "x is no run of a generator"),
    ],
)
def test_runs_that_do_not_fit_are_refused(options, message, script):
    with pytest.raises(InputError, match=message):
        script.CriticalPairs(**options)


def test_bad_rows_are_counted_and_listed(tmp_path):
    from support.toy_pairs import picture

    for name in ("0", "1"):
        picture(int(name)).save(tmp_path / f"{name}.png")
    (tmp_path / "cut.png").write_bytes((tmp_path / "0.png").read_bytes()[:70])
    good = {"index": 0, "topic": "pollution", "prompt": "a foul river"}
    images = {"dance_flux": "0.png", "flux_krea": "1.png"}
    lines = [
        {**good, "images": images},
        {**good, "index": 1, "topic": "gardening", "images": images},
        {**good, "index": 2, "images": {**images, "flux_krea": "absent.png"}},
        {**good, "index": 3, "images": {**images, "dance_flux": "cut.png"}},
        {**good, "index": 4, "prompt": None, "images": images},
    ]
    (tmp_path / "pairs.jsonl").write_text("\n".join([*map(json.dumps, lines), "{"]))
    out = tmp_path / "b"
    done = scripts.call(
        "critical_comparison", "--source", tmp_path / "pairs.jsonl", "--dry-run", out
    )
    assert done.returncode == 1, done.stderr
    assert "pairs: 1 rows of 6 items in 1 files; 5 left out, 0 flags" in done.stdout
    assert "prompts: 100 rows of 100 items" in done.stdout
    for (_, reason), told in zip(
        scripts.notes(out),
        ["'gardening' is not one of", "no file 'absent.png'", "cannot be read", "null", "not JSON"],
        strict=True,
    ):
        assert told in reason


def test_the_prompts_alone_need_no_source(tmp_path):
    done = scripts.program("critical_comparison", "--dry-run", tmp_path / "b")
    assert (done.returncode, done.stdout.splitlines()[0]) == (
        0,
        "prompts: 100 rows of 100 items in 1 files; 0 left out, 0 flags",
    )


def test_an_empty_source_is_one_line(tmp_path):
    (tmp_path / "pairs.jsonl").write_text("\n")
    done = scripts.call(
        "critical_comparison", "--source", tmp_path / "pairs.jsonl", "--dry-run", tmp_path / "b"
    )
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert "holds no rows. Give at least one JSON object a line." in done.stderr


@pytest.mark.real
def test_the_authors_sample_keeps_every_field(script, real_data, tmp_path):
    source = real_data / "critical_comparison" / "pairs.jsonl"
    built = made(pairs_of(script, source), tmp_path / "b")
    assert built.n_faults == 0
    lines = [json.loads(line) for line in source.read_text(encoding="utf-8").splitlines()]
    for row, line in zip(scripts.rows(built.path, "pairs"), lines, strict=True):
        assert (row["index"], row["prompt_distorted"]) == (line["index"], line["prompt"])
        topic = AUTHORS_TOPICS.get(line["topic"], line["topic"])
        assert row["topic"] == topic
        for column, name in (("image_original", "dance_flux"), ("image_distorted", "flux_krea")):
            content = (source.parent / line["images"][name]).read_bytes()
            assert row[column]["bytes"] == content
    assert load_pairs(built.path)["pair_id"][:] == load_pairs(source)["pair_id"][:]
