"""Pairs with each reward's verdict: built in, from a run, or from any pair table."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from aas_bench.errors import InputError, SchemaError
from aas_bench.measure.summary import summarise
from aas_bench.pages.gallery import Gallery, build_gallery
from aas_bench.run.finished import FinishedRun, NotMadeError, is_run
from aas_bench.tables.formats import TABLE_SUFFIXES
from aas_bench.tables.schema import IMAGE_DISTORTED, IMAGE_ORIGINAL
from aas_bench.tables.scores import ScoreTable

MOST_CARDS: Final = 60
REWARDS: Final = ("effect-match", "average-taste", "polish", "random")
SCENES: Final = ("coffee", "chelsea", "china", "astronaut")
DOSE: Final = 0.75
_FOLDER: Final = "gallery"


def make_showcase(source: str | None, folder: Path) -> tuple[Gallery, str]:
    """Choose and draw the pairs; images go to `folder/gallery`. With a sentence: what they are.

    Args:
        source: The directory of a run, or what `load_pairs` takes; None: built-in photographs.
        folder: Where the image files go.

    Raises:
        InputError: The source cannot be read, or holds no pair with both images.
    """
    rows, table, what = _read(source)
    summary = summarise(table, on_missing="drop").ordered()
    gallery = build_gallery(summary, table, rows, folder=folder / _FOLDER, max_gallery=MOST_CARDS)
    return gallery, _said(gallery, what)


def one_prompt(gallery: Gallery) -> tuple[str, list[dict[str, Any]]]:
    """The prompt that most generators answered, and a card of each; of equals the first.

    Returns:
        "" and nothing where no prompt was answered by two.
    """
    answered: dict[str, dict[str, dict[str, Any]]] = defaultdict(dict)
    for card in gallery.cards:
        prompt = "".join(text for text, _ in card["prompt"])
        answered[prompt].setdefault(card["model"] or "", card)
    prompt = max(answered, key=lambda each: len(answered[each]), default="")
    cards = answered.get(prompt, {})
    return (prompt, [cards[name] for name in sorted(cards)]) if len(cards) > 1 else ("", [])


def _read(source: str | None) -> tuple[Any, ScoreTable, str]:
    """Rows with images, their scores, and what they are."""
    if source is None:
        return _built_in()
    if is_run(Path(source)):
        return _run(FinishedRun(source))
    return _table(source)


def _built_in() -> tuple[Any, ScoreTable, str]:
    from aas_bench.counterfactual.split import counterfactual_dataset

    pairs = counterfactual_dataset(size=320, scenes=SCENES, doses=(DOSE,), wordings=1)
    what = "built-in photographs with a known effect, under synthetic scorers: a self-test"
    return pairs, _scored(pairs), what


def _run(run: FinishedRun) -> tuple[Any, ScoreTable, str]:
    import pandas as pd

    rows = []
    for index in run.indices:
        scored = run.scores.get(run.pair_id(index))
        try:
            images = {v: str(run.made(index, v)[1]) for v in ("original", "distorted")}
        except NotMadeError:
            continue
        if scored is not None:
            paths = {IMAGE_ORIGINAL: images["original"], IMAGE_DISTORTED: images["distorted"]}
            rows.append({**scored, **{k: {"path": path} for k, path in paths.items()}})
    if not rows:
        msg = f"{run.path} has no pair with both images and scores. Score the run first."
        raise InputError(msg)
    frame = pd.DataFrame(rows).drop(columns=[IMAGE_ORIGINAL, IMAGE_DISTORTED])
    return rows, ScoreTable.from_frame(frame), f"the run of {run.name}"


def _table(source: str) -> tuple[Any, ScoreTable, str]:
    from aas_bench.tables.pairs import load_pairs

    pairs = load_pairs(source, limit=MOST_CARDS)
    frame = pairs.remove_columns([IMAGE_ORIGINAL, IMAGE_DISTORTED]).to_pandas()
    try:
        table = ScoreTable.from_frame(frame)
    except SchemaError:
        table = _scored(pairs)
    name = Path(source).name if source.endswith(tuple(TABLE_SUFFIXES)) else source
    return pairs, table, f"the first pairs of {name}"


def _scored(pairs: Any, rewards: Sequence[str] = REWARDS) -> ScoreTable:
    from aas_bench.run.score import score

    return score(pairs, list(rewards), placebos="none", progress=False, workers=1)


def _said(gallery: Gallery, what: str) -> str:
    lost = f"; {gallery.n_unreadable} more cannot be read" if gallery.n_unreadable else ""
    return f"{len(gallery.cards)} pairs of {gallery.n_pairs} from {what}{lost}."
