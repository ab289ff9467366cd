"""What docs/security.md claims and no test of a room's own shows."""

import ast
import io
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image
from support.toy_pairs import dataset, png, rows
from support.toy_rewards import length_and_light

from aas_bench.errors import InputError
from aas_bench.run.score import score
from aas_bench.tables import formats
from aas_bench.tables import open as opening
from aas_bench.tables.images import open_image
from aas_bench.tables.pairs import load_pairs
from aas_bench.tables.scores import load_scores

ROOT = Path(__file__).parents[2]
SOURCES = [
    *(ROOT / "aas_bench").rglob("*.py"),
    *(ROOT / "dataset_scripts").glob("*.py"),
    *(ROOT / "leaderboard").glob("*.py"),
    *(ROOT / "metrics").rglob("*.py"),
]
NEVER = {
    *("eval", "exec", "compile", "pickle.load", "pickle.loads", "joblib.load", "os.system"),
    *("yaml.unsafe_load", "yaml.full_load", "marshal.loads", "os.popen", "tempfile.mktemp"),
    *("dill.load", "dill.loads", "cloudpickle.load", "cloudpickle.loads"),
}
# what the workers that a run itself starts send each other, as Ray and multiprocessing do
BETWEEN_WORKERS = {
    "aas_bench/run/pool.py": {"dill.loads"},
    "aas_bench/run/ray_cluster.py": {"pickle.loads"},
}


def calls():
    for file in SOURCES:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                yield file, ast.unparse(node.func), {k.arg: k.value for k in node.keywords}


def constant(node):
    return node.value if isinstance(node, ast.Constant) else None


def test_nothing_runs_what_it_reads():
    """No evaluation, no unpickling, no code of repositories, no shell, no unsafe YAML."""
    n = 0
    for file, name, options in calls():
        n += 1
        where = f"{file.relative_to(ROOT)}: {name}"
        own = BETWEEN_WORKERS.get(file.relative_to(ROOT).as_posix(), set())
        assert name not in NEVER - own, where
        assert constant(options.get("trust_remote_code")) is not True, where
        assert constant(options.get("shell")) is not True, where
        assert not name.endswith((".extractall", ".unpack_archive")), where
        if name == "torch.load":
            assert constant(options["weights_only"]) is True, where
        if name == "yaml.load":
            assert "Loader" in options, where
        if name in ("pq.read_table", "pa.ipc.open_file"):
            assert "allow_pickle" not in options, where
    assert n > 5000, "it looked at the package"


@pytest.mark.parametrize(
    "content",
    [
        b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>',
        b'<?xml version="1.0"?><!DOCTYPE svg [<!ENTITY x SYSTEM "file:///etc/passwd">]><svg>&x;</svg>',
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(id) run showpage",
        b"%PDF-1.4\n",
        b"\x00\x00\x01\x00\x01\x00",
    ],
)
def test_documents_are_no_images(content):
    """SVG runs scripts and fetches; EPS would start Ghostscript."""
    with pytest.raises(InputError, match="is no image of a known format"):
        open_image(content)


def test_of_a_polyglot_only_the_pixels_go_on(tmp_path):
    """A picture that is a page and an archive too: what a report shows was made anew."""
    from aas_bench.measure.summary import summarise
    from aas_bench.pages.report import write_report

    table = list(rows(n_prompts=4))
    for row in table:
        for name in ("image_original", "image_distorted"):
            file = io.BytesIO(row[name]["bytes"] + b"<script>alert(1)</script>")
            with zipfile.ZipFile(file, "a") as archive:
                archive.writestr("evil.sh", "echo")
            row[name] = {"bytes": file.getvalue(), "path": "<img src=x onerror=alert(1)>.png"}
            assert zipfile.is_zipfile(file)
            assert open_image(row[name]).size == (12, 9)
    pairs = dataset(table)
    scores = score(pairs, length_and_light, progress=False, placebos="none")
    write_report(summarise(scores), scores, pairs=pairs, out=tmp_path / "report")
    shown = [f for f in (tmp_path / "report").rglob("*") if f.suffix in (".png", ".jpg", ".webp")]
    assert shown
    for file in shown:
        assert b"<script>alert(1)" not in file.read_bytes()
        assert not zipfile.is_zipfile(file)
    page = (tmp_path / "report" / "index.html").read_text()
    assert "<img src=x" not in page


def bomb(file, *, images=False, n=3000):
    """Some kilobytes that come to n times one long value."""
    index = pa.array([0] * n, pa.int32())
    long = png(Image.effect_noise((200, 200), 90).convert("RGB")) if images else b"x" * 100_000
    folded = pa.DictionaryArray.from_arrays(index, pa.array([long], pa.binary()))
    if images:
        folded = pa.StructArray.from_arrays([folded, pa.array(["a.png"] * n)], ["bytes", "path"])
    else:
        text = pa.array([long.decode()], pa.string())
        folded = pa.DictionaryArray.from_arrays(index, text)
    plain = pa.array(["a cat"] * n)
    columns = {"prompt_original": plain, "prompt_distorted": plain} if images else {}
    columns |= {name: folded for name in ("image_original", "image_distorted") if images}
    columns |= {} if images else {"prompt_original": folded, "prompt_distorted": folded}
    columns |= {"m_oidp": pa.array([0.0] * n), "m_didp": pa.array([1.0] * n)}
    pq.write_table(pa.table({"pair_id": [f"p/{i}" for i in range(n)], **columns}), file)
    return file


@pytest.fixture
def small_bounds(monkeypatch):
    """As if memory were a thousandth of what it is."""
    monkeypatch.setattr(formats, "MAX_REPEATED", 2**22)
    monkeypatch.setattr(formats, "_SUSPECT", 2**18)
    monkeypatch.setattr(opening, "_LONG", 2**18)


@pytest.mark.usefixtures("small_bounds")
@pytest.mark.parametrize(("read", "images"), [(load_scores, 0), (load_pairs, 0), (load_pairs, 1)])
def test_a_dictionary_bomb_is_refused_before_it_unfolds(read, images, tmp_path):
    file = bomb(tmp_path / "bomb.parquet", images=bool(images))
    assert file.stat().st_size < 400_000
    with pytest.raises(InputError, match=r"repeats long values to more than 4,194,304 bytes"):
        read(str(file))


@pytest.mark.usefixtures("small_bounds")
def test_what_repeats_within_the_bound_is_read(tmp_path):
    """And is counted as what it is: 30 times 100 kB are less than 4 MiB."""
    assert len(load_scores(bomb(tmp_path / "fine.parquet", n=20))) == 20


def test_what_it_comes_to_is_counted_exactly(tmp_path):
    texts = ["a" * 7, "é", None, "a" * 7, ""]
    pq.write_table(pa.table({"x": texts, "l": [[t, t] for t in texts]}), tmp_path / "a.parquet")
    assert formats._unfolded(tmp_path / "a.parquet", 0, "x") == 16
    (path,) = {
        pq.read_metadata(tmp_path / "a.parquet").row_group(0).column(i).path_in_schema for i in (1,)
    }
    assert formats._unfolded(tmp_path / "a.parquet", 0, path) == 32


def test_an_archive_is_no_dataset(tmp_path):
    with zipfile.ZipFile(tmp_path / "pairs.zip", "w") as made:
        made.writestr("a.txt", b"0" * 10**6)
    with pytest.raises(InputError, match=r"is an archive. Unpack it"):
        load_scores(tmp_path / "pairs.zip")


def test_nothing_is_written_through_a_link_in_a_run(tmp_path):
    """A file of a run is replaced, not opened: a link in its place leads nothing astray."""
    outside = tmp_path / "thesis.tex"
    outside.write_text("mine")
    options = {"progress": False, "placebos": "none", "out": tmp_path / "run"}
    score(dataset(rows(n_prompts=2)), length_and_light, **options)
    for name in ("scores.parquet", "run.json", "parts/part-00000.parquet"):
        (tmp_path / "run" / name).unlink()
        (tmp_path / "run" / name).symlink_to(outside)
    score(dataset(rows(n_prompts=2)), length_and_light, **options)
    assert outside.read_text() == "mine"
    assert not (tmp_path / "run" / "scores.parquet").is_symlink()


def test_a_traceback_holds_no_key(tmp_path):
    """Also where an error is none of ours, and a service sends the key back."""
    key = "sk-secret-0123456789abcdef"
    code = """
import sys
from aas_bench.service.access import Service, ServiceOptions
from aas_bench.service.client import Client
client = Client("openai", ServiceOptions(base_url="http://127.0.0.1:9/v1"))
print(client.service, vars(client.options), client.clean("Bearer " + client.service.key))
def broken():
    service, client_ = client.service, client
    raise RuntimeError(f"{service} {client_}")
broken()
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "OPENAI_API_KEY": key},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "RuntimeError" in done.stderr
    assert key not in done.stdout + done.stderr
    assert "[key]" in done.stdout


def test_every_test_that_the_page_names_is_there():
    """docs/security.md points to tests; one that was renamed would leave a claim bare."""
    page = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", page)
    assert len(named) > 30
    for file, name in named:
        content = (ROOT / file).read_text(encoding="utf-8")
        assert re.search(rf"def {name}\(", content), f"{file} has no {name}"
