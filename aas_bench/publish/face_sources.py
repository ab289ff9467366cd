"""Four faces of one portrait: from a table in the authors' form, or from a run on our portraits."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, TypeAlias

from datasets import Features, Image, Value

from aas_bench.errors import SchemaError
from aas_bench.publish.pair_sources import TablePairs, check_images
from aas_bench.run.finished import FinishedRun, is_run
from aas_bench.sources.own_prompts import NEGATIVE, EmotionPrompt, emotion_prompts
from aas_bench.tables.authors import is_cell, split_score
from aas_bench.tables.images import image_fault, is_image
from aas_bench.tables.pairs import RowPairs, open_row_pairs
from aas_bench.tables.schema import (
    DIDP,
    DIMENSIONS,
    IMAGE_COLUMNS,
    IMAGE_DISTORTED,
    IMAGE_ORIGINAL,
    INDEX,
    LABEL,
    LABEL_SOURCE,
    MODEL,
    OIDP,
    PAIR_ID,
    PROMPT_DISTORTED,
    PROMPT_ORIGINAL,
    Label,
    pair_features,
    pair_name,
    score_column,
)
from aas_bench.tasks.taxonomy import EMOTIONS, HAPPY

Row: TypeAlias = dict[str, Any]

FACES: Final = {emotion: f"{emotion}_image" for emotion in EMOTIONS}
_SCORE: Final = re.compile(
    rf"(?P<emotion>{'|'.join(NEGATIVE)})_(?P<reward>.+?)(?P<happy>_happy_image)?"
)
_RENAMED: Final = {"img_reward": "image_reward"}
"""The authors' short name of a reward model -> its name in all other tables."""


class TableFaces(TablePairs):
    """Four faces in a row, with the authors' scores of each face and of the happy one beside it.

    `sad_hpsv2` is the score of the sad face under the sad prompt, `sad_hpsv2_happy_image` that of
    the happy face under the same prompt.
    """

    def __init__(self, table: RowPairs) -> None:
        super().__init__(table)
        if table.form.name != "emotions":
            msg = f"{table.name}: needs {', '.join(FACES.values())} and prompt. Add the columns."
            raise SchemaError(msg)
        own = {*FACES.values(), "prompt", MODEL, INDEX, *pair_features()}
        self._others = {
            n: Image() if is_image(f) else f for n, f in table.data.features.items() if n not in own
        }
        self._scores = {n: match for n in self._others if (match := _SCORE.fullmatch(n))}

    @property
    def face_features(self) -> Row:
        """The columns of `faces`."""
        kept: Row = {}
        for name, feature in self._others.items():
            if name not in self._scores:
                kept[name] = feature
                continue
            kept[name] = Value("float64")
            if hasattr(feature, "feature"):
                kept[f"{name}_sigma"] = Value("float64")
        return kept

    @property
    def features(self) -> Features:
        """The columns of `pairs`: each pair has the scores of its own two faces."""
        types = {n: f for n, f in super().features.items() if n not in self._scores}
        for name, feature in self.face_features.items():
            found = _SCORE.fullmatch(name.removesuffix("_sigma"))
            if found and name.removesuffix("_sigma") in self._scores:
                types[_pair_column(found, sigma=name.endswith("_sigma"))] = feature
        return Features(types)

    def faces(self, item: str) -> Row:
        """A row of `faces`."""
        number = self.row_number(item)
        pair, row = self.table.pairs(number)[0], self.table.data[number]
        faces: Row = {"prompt": row["prompt"], MODEL: pair[MODEL], INDEX: pair[INDEX]}
        for column in FACES.values():
            cell = row[column] if is_image(self.table.data.features[column]) else None
            faces[column] = cell or self._file(number, column)
            fault = image_fault(faces[column], self.table.trusted)
            if fault:
                msg = f"{column} {fault}"
                raise SchemaError(msg)
        check_images(faces, list(FACES.values()))
        return faces | self._values(row)

    def pairs(self, item: str) -> list[Row]:
        """The three pairs of a row."""
        pairs = super().pairs(item)
        values = self._values(self.table.data[self.row_number(item)])
        finished = []
        for pair in pairs:
            (emotion,) = pair[DIMENSIONS]
            own = {name: value for name, value in pair.items() if name not in self._scores}
            for name, value in values.items():
                found = _SCORE.fullmatch(name.removesuffix("_sigma"))
                if found and found["emotion"] == emotion:
                    own[_pair_column(found, sigma=name.endswith("_sigma"))] = value
            finished.append(own)
        return finished

    def _file(self, number: int, column: str) -> Any:
        """The image that a file name stands for, as the pairs of the row have it."""
        emotions = {name: emotion for emotion, name in FACES.items()}
        for pair in self.table.pairs(number):
            if emotions[column] == HAPPY:
                return pair[IMAGE_ORIGINAL]
            if pair[DIMENSIONS] == [emotions[column]]:
                return pair[IMAGE_DISTORTED]
        return None

    def _values(self, row: Mapping[str, Any]) -> Row:
        """The further columns, a score `[mu, sigma]` as two."""
        values: Row = {}
        for name, feature in self._others.items():
            if name not in self._scores:
                values[name] = row[name]
                continue
            values[name], sigma = split_score(row[name])
            if hasattr(feature, "feature"):
                values[f"{name}_sigma"] = sigma
        return values


def _pair_column(found: re.Match[str], *, sigma: bool) -> str:
    """Their column of a score -> ours."""
    reward = _RENAMED.get(found["reward"], found["reward"])
    return score_column(reward, OIDP if found["happy"] else DIDP) + ("_sigma" if sigma else "")


class RunFaces:
    """The portraits of this project in a run: found by the words of their prompts.

    The happy face of a pair is the one that the run made beside the other, from the same noise. Of
    a portrait's happy faces, `faces` shows that of the first pair.

    Args:
        run: The run.
    """

    def __init__(self, run: FinishedRun) -> None:
        self.run, self.name = run, str(run.path)
        self._rewards = list(
            dict.fromkeys(n.rpartition("_")[0] for n in run.score_columns if is_cell(n))
        )

    @property
    def face_features(self) -> Row:
        """The columns of the scores in `faces`."""
        return {
            f"{emotion}_{reward}{end}": Value("float64")
            for emotion in NEGATIVE
            for reward in self._rewards
            for end in ("", "_happy_image")
        }

    @property
    def features(self) -> Features:
        """The pair columns and two scores of each reward model."""
        parts = [score_column(reward, part) for reward in self._rewards for part in (OIDP, DIDP)]
        more = {LABEL_SOURCE: Value("string"), "prompt": Value("string")}
        scores = dict.fromkeys(parts, Value("float64"))
        return Features({**pair_features(), **more, **scores})

    @property
    def about(self) -> str:
        """The generator."""
        return f"a run of the generator {self.run.name}"

    def items(self) -> list[str]:
        """The portraits that the run was asked for with any emotion."""
        return [
            f"portrait {each.index}"
            for each in emotion_prompts()
            if any(each.filled(emotion) in self.run.places for emotion in NEGATIVE)
        ]

    def pairs(self, item: str) -> list[Row]:
        """The three pairs of a portrait."""
        asked = emotion_prompts()[int(item.split()[1])]
        return [self._pair(asked, emotion) for emotion in NEGATIVE]

    def faces(self, item: str) -> Row:
        """A row of `faces`; scores of another happy face than the one shown stay out."""
        asked = emotion_prompts()[int(item.split()[1])]
        pairs = {emotion: self._pair(asked, emotion) for emotion in NEGATIVE}
        shown = pairs[NEGATIVE[0]][IMAGE_ORIGINAL]
        row: Row = {FACES[HAPPY]: shown, "prompt": asked.template, MODEL: self.run.name}
        row[INDEX] = asked.index
        for emotion, pair in pairs.items():
            row[FACES[emotion]] = pair[IMAGE_DISTORTED]
            for reward in self._rewards:
                same = pair[IMAGE_ORIGINAL] == shown
                beside = pair[score_column(reward, OIDP)] if same else None
                row[f"{emotion}_{reward}"] = pair[score_column(reward, DIDP)]
                row[f"{emotion}_{reward}_happy_image"] = beside
        return row

    def _pair(self, asked: EmotionPrompt, emotion: str) -> Row:
        index, variant = self.run.find(asked.filled(emotion))
        if variant != "distorted":
            msg = f"{emotion} is not on the distorted side. Make the run from `prompts`."
            raise SchemaError(msg)
        prompt, happy = self.run.made(index, "original")
        if prompt != asked.filled(HAPPY):
            msg = f"beside the {emotion} face there is no happy one. Make the run from `prompts`."
            raise SchemaError(msg)
        scored = self.run.scores.get(self.run.pair_id(index), {})
        parts = [score_column(reward, part) for reward in self._rewards for part in (OIDP, DIDP)]
        pair = {
            PAIR_ID: f"{pair_name(self.run.id, asked.index)}/{emotion}",
            INDEX: asked.index,
            MODEL: self.run.name,
            IMAGE_ORIGINAL: {"bytes": None, "path": str(happy)},
            IMAGE_DISTORTED: {
                "bytes": None,
                "path": str(self.run.made(index, "distorted")[1]),
            },
            PROMPT_ORIGINAL: prompt,
            PROMPT_DISTORTED: asked.filled(emotion),
            DIMENSIONS: [emotion],
            LABEL: int(Label.DISTORTED),
            LABEL_SOURCE: "construction",
            "prompt": asked.template,
            **{name: scored.get(name) for name in parts},
        }
        check_images(pair, IMAGE_COLUMNS)
        return pair

    def fingerprint(self) -> str:
        """Over the run."""
        return self.run.fingerprint()


def open_faces(source: str) -> TableFaces | RunFaces:
    """A run, or a table of four faces.

    Raises:
        InputError: The source does not exist or cannot be read.
        SchemaError: It is a table of another form.
        BackendError: The Hub cannot be reached.
    """
    if is_run(Path(source)):
        return RunFaces(FinishedRun(source))
    return TableFaces(open_row_pairs(source))
