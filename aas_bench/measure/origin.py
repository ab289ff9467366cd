"""Where the numbers of a summary come from: source, options, versions."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aas_bench.files import file_sha256
from aas_bench.run.provenance import versions


def origin(
    *,
    source: str | Path | None,
    revision: str | None,
    command: str | None,
    created: str | None,
    run: Mapping[str, Any] | None,
    options: Mapping[str, Any],
) -> dict[str, Any]:
    """The provenance of a summary, as JSON values.

    Args:
        source: File that the scores came from; its SHA-256 is taken where it is a file.
        revision: The Hub's commit of the pairs or the table.
        command: Command line that asked for the summary.
        created: Time stamp.
        run: What is known about how the scores were made.
        options: How the statistics were computed.
    """
    return {
        "created": created,
        "command": command,
        "source": None if source is None else str(source),
        "source_sha256": _sha256(source),
        "revision": revision,
        "versions": {"python": platform.python_version(), **versions()},
        **options,
        "run": None if run is None else dict(run),
    }


def _sha256(source: str | Path | None) -> str | None:
    return file_sha256(Path(source)) if source is not None and Path(source).is_file() else None
