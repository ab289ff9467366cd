"""Tiny random models of the real architectures, saved as their makers publish them."""

from __future__ import annotations

import string
from pathlib import Path


def write_vocabulary(path: Path) -> Path:
    """A BERT vocabulary of single characters, with the special tokens where BERT has them."""
    words = ["[PAD]", *(f"[unused{i}]" for i in range(99)), "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    signs = string.ascii_lowercase + string.digits + string.punctuation
    words += [*signs, *(f"##{sign}" for sign in signs)]
    path.write_text("\n".join(words) + "\n", encoding="utf-8")
    return path
