"""The doors through which content of strangers comes in, each as a function of bytes.

The law of all: what is no good ends as an error of `aas_bench.errors`, which the command line tells
in one line, or is read; nothing else is raised, and nothing hangs.
"""

from __future__ import annotations

import io
import json
import signal
import tempfile
import warnings
import zipfile
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aas_bench.errors import AasBenchError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SECONDS = 20
ROOT = Path(__file__).parents[2]
CELLS = ("oiop", "oidp", "diop", "didp")


class HungError(Exception):
    """A door took too long."""


@dataclass(frozen=True)
class Door:
    """Where content comes in.

    Attributes:
        enter: Reads the content as a user's.
        seeds: Content that is taken.
        weight: How many cases it gets, relative to the others.
    """

    enter: Callable[[bytes], object]
    seeds: Callable[[], list[bytes]]
    weight: float = 1.0


def goes_in(door: Door, content: bytes) -> AasBenchError | None:
    """Bring content through a door; the error that it was refused with.

    Raises:
        Exception: The door broke its law.
    """
    with warnings.catch_warnings(), _in_time():
        warnings.simplefilter("ignore")
        try:
            door.enter(content)
        except AasBenchError as error:
            if not str(error).strip():
                msg = "it does not say why"
                raise ValueError(msg) from error
            return error
    return None


@contextmanager
def _in_time() -> Iterator[None]:
    def stop(*_: object) -> None:
        raise HungError

    # Seconds of this process, not of the clock: others may keep the machine busy.
    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def _as_file(suffix: str, read: Callable[[Path], object]) -> Callable[[bytes], object]:
    def enter(content: bytes) -> object:
        with tempfile.TemporaryDirectory(prefix="door-") as folder:
            path = Path(folder) / f"given{suffix}"
            path.write_bytes(content)
            return read(path)

    return enter


# Submissions and settings in YAML.


def _submission(path: Path) -> object:
    from aas_bench.generators.spec import load_submission

    return load_submission(path)


def _submissions() -> list[bytes]:
    folder = ROOT / "leaderboard" / "submissions"
    return [file.read_bytes() for file in sorted(folder.glob("*.yaml"))]


def _vlm(path: Path) -> object:
    from aas_bench.rewards.vlm import read_settings

    return read_settings(path)


def _vlms() -> list[bytes]:
    text = """base: model
head: head.safetensors
template: '{image} Rate: {prompt}'
tokens: [<|reward|>]
read: <|reward|>
pixels: [4, 99]
output: 1
activation: gelu
dtype: float16
chat: false
positions: plain
"""
    return [text.encode()]


# Tables.


def _scores(path: Path) -> object:
    from aas_bench.tables.scores import load_scores

    return load_scores(path)


def _pairs(path: Path) -> object:
    from aas_bench.tables.pairs import load_pairs

    return load_pairs(str(path))


def _rows(n: int = 3) -> list[dict[str, Any]]:
    return [
        {"pair_id": f"p/{i}", "index": i, "model": "m", "label": i - 1, "dimensions": ["clarity"]}
        | {"prompt_original": f"a cat {i}", "prompt_distorted": f"a dim cat, {i}"}
        | {f"{name}_{cell}": 0.5 * i for name in ("a", "hf:b") for cell in CELLS}
        for i in range(n)
    ]


def _flat() -> Any:
    import pandas as pd

    return pd.DataFrame([row | {"dimensions": "clarity;emotion"} for row in _rows()])


def _delimited(mark: str) -> list[bytes]:
    return [_flat().to_csv(index=False, sep=mark).encode(), b"sep=;\na;b_oidp;b_didp\n1;2;3\n"]


def _json_lines() -> list[bytes]:
    return ["".join(json.dumps(row) + "\n" for row in _rows()).encode()]


def _documents() -> list[bytes]:
    rows = _rows()
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    return [json.dumps(each).encode() for each in (rows, columns, {"rows": rows})]


def _arrow(write: str) -> list[bytes]:
    import pyarrow as pa
    import pyarrow.feather as feather
    import pyarrow.parquet as pq

    sink = pa.BufferOutputStream()
    table = pa.Table.from_pylist(_rows())
    if write == "parquet":
        pq.write_table(table, sink)
    else:
        feather.write_feather(table, sink)
    return [sink.getvalue().to_pybytes()]


@cache
def _image(kind: str = "PNG") -> bytes:
    from PIL import Image

    file = io.BytesIO()
    Image.new("RGB", (8, 6), (200, 40, 10)).save(file, kind)
    return file.getvalue()


def _pair_rows() -> list[dict[str, Any]]:
    import base64

    url = "data:image/png;base64," + base64.b64encode(_image()).decode()
    keep = ("pair_id", "index", "model", "label", "dimensions", "prompt_original")
    return [
        {name: row[name] for name in (*keep, "prompt_distorted")}
        | {"image_original": url, "image_distorted": url}
        for row in _rows(2)
    ]


def _pair_lines() -> list[bytes]:
    return ["".join(json.dumps(row) + "\n" for row in _pair_rows()).encode()]


def _pair_parquet() -> list[bytes]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    image = {"bytes": _image(), "path": "a.png"}
    rows = [row | {"image_original": image, "image_distorted": image} for row in _pair_rows()]
    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pylist(rows), sink)
    return [sink.getvalue().to_pybytes()]


def _open_image(content: bytes) -> object:
    from aas_bench.tables.images import open_image

    return open_image(content)


def _images() -> list[bytes]:
    return [_image(kind) for kind in ("PNG", "JPEG", "GIF", "WEBP", "BMP", "TIFF", "PPM")]


# Records, votes, parcels.


def _record(content: bytes) -> object:
    from aas_bench.records.collection import parse_record

    return parse_record(content)


def _records() -> list[bytes]:
    from aas_bench.records.published import published_records

    found = published_records(ROOT / "leaderboard" / "submissions")
    return [each.to_json().encode() for each in found[:: max(1, len(found) // 4)]]


def _votes(path: Path) -> object:
    from aas_bench.tables.votes import read_votes

    table = read_votes([path])
    return table.columns()


def _vote_lines() -> list[bytes]:
    from aas_bench.tables.votes import Vote

    votes = [
        Vote(pair_id=f"p/{i}", rater=r, choice=c, side="left", ms=900, time="2026", asked="ab")
        for i, (r, c) in enumerate([("Ada", 1), ("Bo", 0), ("Ada", -1), ("Bo", None)])
    ]
    return [b"".join(vote.line() for vote in votes)]


def _parcel(path: Path) -> object:
    from aas_bench.records.parcel import receive

    return receive(path, path.parent / "board")


def _parcels() -> list[bytes]:
    file, record = io.BytesIO(), json.loads(_records()[0])
    with zipfile.ZipFile(file, "w") as made:
        made.writestr(f"{record['id']}.json", json.dumps(record))
    return [file.getvalue()]


# What is typed, answered and sent.


def _text(content: bytes) -> str:
    return content.decode("utf-8", "replace")


def _reward_spec(content: bytes) -> object:
    from aas_bench.rewards.catalog import PREFIXES, REWARDS
    from aas_bench.rewards.spelling import parse

    return parse(_text(content), rows=list(REWARDS), prefixes=list(PREFIXES))


def _reward_specs() -> list[bytes]:
    texts = "polish, a=open_clip:ViT-B-32/laion2b, hf:me/model@main, contrastive:random@0.8, "
    texts += "my_module:factory"
    return [text.encode() for text in texts.split(", ")]


def _judge_answer(content: bytes) -> object:
    from aas_bench.files import json_object
    from aas_bench.judges.base import plain
    from aas_bench.judges.checklist import checklist_question
    from aas_bench.judges.graded import graded_question
    from aas_bench.judges.pairwise import pairwise_question

    image = {"bytes": _image(), "path": None}
    values = json_object(_text(content))
    for question in (
        pairwise_question("a dim cat", image, image),
        graded_question("a cat", "a dim cat", image),
        checklist_question("a cat", ("clarity", "emotion"), image),
    ):
        fault = question.faults(values)
        if fault is None:
            json.dumps(plain(values), allow_nan=False)
        elif "\n" in fault:
            msg = f"a fault of two lines: {fault!r}"
            raise AssertionError(msg)
    return values


def _judge_answers() -> list[bytes]:
    return [
        b'{"why": "darker", "choice": "first"}',
        b'So: ```json\n{"why": "x", "main_concept": 50, "requested_effects": 7}\n```',
        b'{"content": "yes", "content_whole": "no", "clarity": "yes", "clarity_strong": "no"}',
    ]


def _rewrite(content: bytes) -> object:
    from aas_bench.rewriters.endpoint import _read
    from aas_bench.rewriters.prompt_checks import prompt_faults

    prompt, faults = _read(_text(content))
    return faults or prompt_faults(prompt, caption="a cat on a sofa", dimensions=["clarity"])


def _rewrites() -> list[bytes]:
    return [b'{"prompt": "a cat on a sofa, blurred and out of focus, hardly to be made out"}']


def _taxonomy(content: bytes) -> object:
    from aas_bench.counterfactual.reading import requested_effects
    from aas_bench.tasks.taxonomy import near_dimensions

    text = _text(content)
    return near_dimensions(text.split(",")), requested_effects(text)


def _taxonomies() -> list[bytes]:
    return [
        b"clarity,emotion,sad,color_and_tone.muted_faded",
        b"a dark, blurred and crooked photograph, not bright, without any noise",
    ]


def _service(content: bytes) -> object:
    from aas_bench.files import json_object
    from aas_bench.service.access import ServiceOptions

    return ServiceOptions.of(json_object(_text(content)) or {})


def _services() -> list[bytes]:
    options = {"timeout": 5.0, "attempts": 3, "concurrency": 4, "backoff": 0.1, "max_wait": 9}
    options |= {"base_url": "http://127.0.0.1:1/v1", "max_bytes": 1000, "poll_interval": 1.0}
    return [json.dumps(options).encode()]


def _payload(content: bytes) -> object:
    from aas_bench.serving.bounds import Bounds
    from aas_bench.serving.payload import read_json

    return read_json(content, Bounds())


def _payloads() -> list[bytes]:
    import base64

    image = base64.b64encode(_image()).decode()
    return [
        json.dumps({"images": [image], "prompts": ["a cat"], "cells": [[0, 0]]}).encode(),
        json.dumps({"images": [image], "prompts": ["a cat"]}).encode(),
    ]


DOORS: dict[str, Door] = {
    "submission": Door(_as_file(".yaml", _submission), _submissions),
    "vlm": Door(_as_file(".yaml", _vlm), _vlms),
    "scores-csv": Door(_as_file(".csv", _scores), lambda: _delimited(",")),
    "scores-tsv": Door(_as_file(".tsv", _scores), lambda: _delimited("\t")),
    "scores-jsonl": Door(_as_file(".jsonl", _scores), _json_lines),
    "scores-json": Door(_as_file(".json", _scores), _documents),
    "scores-parquet": Door(_as_file(".parquet", _scores), lambda: _arrow("parquet")),
    "scores-feather": Door(_as_file(".feather", _scores), lambda: _arrow("feather")),
    "pairs-jsonl": Door(_as_file(".jsonl", _pairs), _pair_lines, 0.1),
    "pairs-parquet": Door(_as_file(".parquet", _pairs), _pair_parquet, 0.05),
    "image": Door(_open_image, _images),
    "record": Door(_record, _records),
    "votes": Door(_as_file(".jsonl", _votes), _vote_lines),
    "parcel": Door(_as_file(".zip", _parcel), _parcels, 0.3),
    "reward-spec": Door(_reward_spec, _reward_specs),
    "judge-answer": Door(_judge_answer, _judge_answers),
    "rewrite": Door(_rewrite, _rewrites),
    "taxonomy": Door(_taxonomy, _taxonomies),
    "service": Door(_service, _services),
    "payload": Door(_payload, _payloads),
}
