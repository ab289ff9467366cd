"""No card says what is not true of its build: law over all datasets and kinds of sources."""

import re
from fnmatch import fnmatchcase

import pytest
from support import author_tables, coco_captions, photo_sources, scripts
from support.generator_runs import prompts, run

from aas_bench.publish.build import build

NO_COLUMN = re.compile(r"python dataset_scripts/.*|\[emotion\]|AVA\.txt|on_missing=.*", re.DOTALL)


def prose(built):
    """The card without the parts that are made of columns."""
    text = (built.path / "README.md").read_text()
    body = text.split("---\n", 2)[2]
    return re.sub(r"## Columns.*?(?=## Biases)|```.*?```", "", body, flags=re.DOTALL)


def table(folder, name, rows):
    file = folder / f"{name}.parquet"
    author_tables.dataset(list(rows)).to_parquet(file)
    return str(file)


def wide(tmp_path, *, pairs=(), texts=()):
    script = scripts.script("wide_spectrum")
    made = [script.WideSpectrumPairs(source=pairs)] if pairs else []
    return [*made, *([script.WideSpectrumPrompts(source=texts, captions=4)] if texts else [])]


def wide_captions(tmp_path):
    return wide(tmp_path, texts=(str(coco_captions.write(tmp_path / "captions.json")),))


def wide_prompts(tmp_path):
    rows = [
        {
            "original_prompt": f"a cat number {i}",
            "disorted_long_prompt": f"a blurred cat number {i}",
            "selected": ["clarity"],
        }
        for i in range(3)
    ]
    return wide(tmp_path, texts=(table(tmp_path, "prompts", rows),))


def wide_table(tmp_path):
    return wide(tmp_path, pairs=(table(tmp_path, "benchmark", author_tables.benchmark_rows()),))


def wide_run(tmp_path):
    run(tmp_path / "flux", prompts())
    return [
        scripts.script("wide_spectrum").WideSpectrumPairs(
            source=(str(tmp_path / "flux"),), prompts=wide_prompts(tmp_path)[0].config.source[0]
        )
    ]


def faces(tmp_path):
    script, source = (
        scripts.script("emotion_bias"),
        (table(tmp_path, "faces", author_tables.emotion_rows()),),
    )
    return [script.EmotionPairs(source=source), script.EmotionFaces(source=source)]


def portraits(tmp_path):
    return [scripts.script("emotion_bias").EmotionPrompts()]


def critical(tmp_path):
    return [scripts.script("critical_comparison").CriticalPrompts()]


def photographs(tmp_path):
    script = scripts.script("ava_photos")
    source = photo_sources.ava_source(tmp_path / "ava")
    return [each(source=source) for each in (script.AvaPairs, script.AvaPhotos, script.AvaCommits)]


def unrated(tmp_path):
    script = scripts.script("ava_photos")
    source = photo_sources.ava_source(tmp_path / "ava")
    (source / "AVA.txt").unlink()
    return [script.AvaPhotos(source=source)]


def paintings(tmp_path):
    script = scripts.script("lapis_art")
    return [script.LapisArt(source=photo_sources.lapis_source(tmp_path / "lapis"))]


def effects(tmp_path):
    return [scripts.script("counterfactual").Counterfactual(size=320)]


BUILDS = (
    wide_captions,
    wide_prompts,
    wide_table,
    wide_run,
    faces,
    portraits,
    critical,
    photographs,
    unrated,
    paintings,
    effects,
)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The build of each, and its card in lower case on one line."""
    found = {}
    for each in BUILDS:
        folder = tmp_path_factory.mktemp(each.__name__)
        builders = each(folder)
        built = build(builders, folder / "out", limit=2, progress=False)
        found[each.__name__] = built, " ".join(prose(built).split())
    return found


@pytest.mark.parametrize("name", [each.__name__ for each in BUILDS])
def test_every_column_that_a_card_names_is_there(made, name):
    built, text = made[name]
    known = {column for config in built.configs for column in config.features}
    known |= {config.name for config in built.configs}
    for span in re.findall(r"`([^`]+)`", text):
        if not NO_COLUMN.fullmatch(span):
            assert any(fnmatchcase(column, span) for column in known), span


SAID = {
    "were drawn from COCO": {"wide_captions"},
    "as the table has them": {"wide_prompts"},
    "Pairs from tables": {"wide_table"},
    "Made by runs": {"wide_run"},
    "a run of the generator": {"wide_run"},
    "authors of the paper state no licence": {"wide_prompts", "wide_table", "faces"},
    "gemini-2.5-flash-image": {"faces"},
    "written for this dataset": {"portraits", "critical"},
    "Ratings": {"photographs"},
    "Clean counterparts": {"photographs"},
    "how people rated it": {"paintings"},
    "## Results": {"wide_table", "wide_run", "faces", "paintings"},
    "1 of the photographs": {"effects"},
    "Nobody judged": {"wide_run"},
    "## Use": {each.__name__ for each in BUILDS},
}


@pytest.mark.parametrize("words", SAID)
def test_what_is_said_holds_where_it_is_said(made, words):
    assert {name for name, (_, text) in made.items() if words in text} == SAID[words]


def test_no_card_counts_what_a_limit_cut(made):
    for name, (built, text) in made.items():
        cut = {c.name for c in built.configs if c.n_items < c.n_known}
        assert set(re.findall(r"`(\w+)`, only the first 2 of", text)) == cut, name
    assert not any("Nine photographs" in text for _, text in made.values())
    assert not any(" eleven " in text for _, text in made.values())


def test_no_path_of_this_machine_is_told(made):
    for built, text in made.values():
        assert str(built.path.parent.parent) not in text
