"""A file of the Hub that is here: the SHA-256 that its bytes must have.

A commit says which file was meant, not that this is what arrived: a cache can be damaged, a mirror
can serve something else. The Hub's client checks sizes; who loads weights checks the bytes.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from aas_bench.errors import BackendError
from aas_bench.files import file_sha256

_SHA256: Final = re.compile(r"[0-9a-f]{64}")


def recorded_sha256(path: Path, *, repo: str, file: str, revision: str | None) -> str | None:
    """The SHA-256 that the Hub records for a large file; None where it is not told.

    The client names a cached file by it; where the cache has no links, the Hub is asked.

    Args:
        path: Where the Hub's client put the file.
        repo: Of which repository, `owner/name`.
        file: Its path there.
        revision: Of which commit; None: the newest.
    """
    if path.is_symlink():
        name = path.resolve().name
        return name if _SHA256.fullmatch(name) else None
    from huggingface_hub import get_hf_file_metadata, hf_hub_url
    from huggingface_hub.errors import HfHubHTTPError

    try:
        asked = get_hf_file_metadata(hf_hub_url(repo, file, revision=revision))
    except (HfHubHTTPError, OSError, ValueError):
        return None
    return asked.etag if asked.etag and _SHA256.fullmatch(asked.etag) else None


def check_bytes(path: Path, *, repo: str, file: str, revision: str | None) -> None:
    """Read a file whole, a second for about a gigabyte, and compare it with what the Hub records.

    Raises:
        BackendError: Its bytes are others.
    """
    told = recorded_sha256(path, repo=repo, file=file, revision=revision)
    if told is not None and (found := file_sha256(path)) != told:
        msg = (
            f"{file} of {repo} has the SHA-256 {found}, the Hub names {told}; nothing was loaded. "
            f"Remove {path.resolve()} and run again."
        )
        raise BackendError(msg)
