"""Do the next work while the present is waited for."""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterator
from queue import Empty, Full, Queue
from typing import Final, Generic, TypeVar

T = TypeVar("T")

_POLL_SECONDS: Final = 0.05


class _Failed:
    def __init__(self, error: BaseException) -> None:
        self.error = error


class _End:
    pass


class _Feed(Generic[T]):
    """A bounded queue whose two ends notice when the other has stopped."""

    def __init__(self, depth: int) -> None:
        self._queue: Queue[T | _Failed | _End] = Queue(maxsize=depth)
        self._stopped = threading.Event()

    def fill(self, items: Iterator[T]) -> None:
        """Put all items; an exception is passed on to who takes them."""
        try:
            for item in items:
                if not self._put(item):
                    return
            self._put(_End())
        except BaseException as error:
            self._put(_Failed(error))

    def take(self) -> Iterator[T]:
        """The items in order."""
        while not isinstance(item := self._queue.get(), _End):
            if isinstance(item, _Failed):
                raise item.error
            yield item

    def stop(self) -> None:
        """Make `fill` return at its next item."""
        self._stopped.set()
        try:
            while True:
                self._queue.get_nowait()
        except Empty:
            return

    def _put(self, item: T | _Failed | _End) -> bool:
        while not self._stopped.is_set():
            try:
                self._queue.put(item, timeout=_POLL_SECONDS)
            except Full:
                continue
            return True
        return False


def ahead(items: Iterator[T], *, depth: int) -> Generator[T]:
    """The same items, made in a thread that is at most `depth` + 1 items ahead.

    An exception of `items` is raised here, after the items before it. Close the generator
    (`contextlib.closing`) to stop the thread early.
    """
    feed: _Feed[T] = _Feed(depth)
    thread = threading.Thread(target=feed.fill, args=(items,), daemon=True)
    thread.start()
    try:
        yield from feed.take()
    finally:
        feed.stop()
        thread.join()
