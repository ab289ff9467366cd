"""Answers that were paid for, kept by what was asked: one small JSON file each."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aas_bench.errors import StoreError
from aas_bench.files import json_value, whole_file


class AnswerCache:
    """Texts under a folder, at `<first two digits>/<SHA-256 of the question>.json`.

    Several threads and processes may share it.

    Args:
        folder: Made where absent, when the first answer is stored.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = Path(folder)

    def get(self, question: Mapping[str, Any]) -> str | None:
        """What answered this question; None where nothing did, or it is damaged."""
        try:
            stored = json_value(self._file(question).read_bytes())
            return str(stored["answer"]) if stored["question"] == question else None
        except (OSError, ValueError, TypeError, KeyError):
            return None

    def put(self, question: Mapping[str, Any], answer: str) -> None:
        """Store an answer, whole or not at all.

        Raises:
            StoreError: The folder cannot be written.
        """
        file = self._file(question)
        stored = {"question": question, "answer": answer}
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            with whole_file(file) as handle:
                handle.write(json.dumps(stored, ensure_ascii=False, indent=1).encode())
        except OSError as error:
            msg = f"{self.folder} cannot be written ({error.strerror}). Give another --cache."
            raise StoreError(msg) from error

    def _file(self, question: Mapping[str, Any]) -> Path:
        text = json.dumps(question, sort_keys=True, ensure_ascii=False)
        digest = hashlib.sha256(text.encode()).hexdigest()
        return self.folder / digest[:2] / f"{digest}.json"


def cache_folder(name: str) -> Path:
    """The folder `name` in AAS_BENCH_CACHE, else in the user's cache folder."""
    named = os.environ.get("AAS_BENCH_CACHE")
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return (Path(named) if named else home / "aas_bench") / name
