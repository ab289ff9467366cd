"""The leaderboard as its folder is now: new results appear without a restart."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from aas_bench.board.site import Site
from aas_bench.errors import AasBenchError

EVERY: Final = 10.0
"""Seconds between two looks at the folder, as long as somebody reads."""


class Current:
    """Hands out the newest `Site`; a reader never waits for the one that is being made.

    Args:
        site: The leaderboard to begin with.
        every: Seconds between two looks at its folder.
    """

    def __init__(self, site: Site, *, every: float = EVERY) -> None:
        self._site = site
        self._stamp = self._seen = stamp(site.folder)
        self._every = every
        self._looked = time.monotonic()
        self._lock = threading.Lock()

    def __call__(self) -> Site:
        """The leaderboard to answer with."""
        if time.monotonic() - self._looked >= self._every and self._lock.acquire(blocking=False):
            self._looked = time.monotonic()
            threading.Thread(target=self._look, daemon=True).start()
        return self._site

    def _look(self) -> None:
        try:
            found = stamp(self._site.folder)
            # A folder in which something is under way is looked at again, until it keeps still.
            still, self._seen = found == self._seen, found
            if still and found != self._stamp:
                self._site = self._site.renewed()
                self._stamp = found
        except (OSError, AasBenchError):
            pass  # a folder that is being replaced is looked at again later
        finally:
            self._lock.release()


def stamp(folder: Path) -> tuple[tuple[str, int, int], ...]:
    """What changes with any file of a folder: names, times, sizes."""
    return tuple(sorted(_files(folder)))


def _files(folder: Path) -> Iterator[tuple[str, int, int]]:
    for place, _, names in os.walk(folder):
        for name in names:
            path = Path(place, name)
            try:
                found = path.lstat()
            except FileNotFoundError:
                continue
            yield str(path), found.st_mtime_ns, found.st_size
