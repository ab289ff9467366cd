"""What a run was made with: travels with its results."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from datetime import datetime, timezone
from importlib import metadata
from pathlib import Path
from typing import Any, Final

from aas_bench.version import __version__

PACKAGES: Final = (
    "datasets",
    "diffusers",
    "numpy",
    "open_clip_torch",
    "pandas",
    "peft",
    "pillow",
    "pyarrow",
    "scipy",
    "timm",
    "tokenizers",
    "torch",
    "torchvision",
    "transformers",
)
_GIT_SECONDS: Final = 10


def versions() -> dict[str, str]:
    """The version of this package and of each of `PACKAGES` that is installed."""
    found = {"aas-bench": __version__}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def provenance(*, seed: int | None = None) -> dict[str, Any]:
    """Where, when, by what command and with what versions a result was made; JSON values.

    Args:
        seed: The seed of the run, where it has one.
    """
    return {
        "command": [Path(sys.argv[0]).name, *sys.argv[1:]] if sys.argv[0] else None,
        "git_revision": git_revision(Path.cwd()),
        "machine": platform.machine(),
        "n_cpus": os.cpu_count(),
        "platform": platform.platform(),
        "python": platform.python_version(),
        "seed": seed,
        "time": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "versions": versions(),
    }


def git_revision(folder: Path) -> str | None:
    """The commit that `folder` is checked out at, "-dirty" where tracked files differ from it.

    None outside a repository and where git is absent.
    """
    command = ["git", "describe", "--always", "--abbrev=40", "--exclude=*", "--dirty"]
    try:
        answer = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, timeout=_GIT_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return answer.stdout.strip() or None
