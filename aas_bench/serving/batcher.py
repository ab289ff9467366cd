"""One reward model at work for many clients: their requests wait, and are scored together.

Cells of all waiting requests make one batch, in the order of arrival; a request that is larger than
a batch goes back to the end of the queue after its turn, so that it delays nobody for long. Images
of the next batch are decoded while the model runs.
"""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Iterable, Sequence
from concurrent.futures import Future, InvalidStateError, ThreadPoolExecutor
from contextlib import suppress
from typing import Any, Final

from aas_bench.errors import AasBenchError, BackendError, InputError
from aas_bench.rewards.base import RewardModel, Term, weighted_sum
from aas_bench.rewards.contrastive import ContrastiveReward
from aas_bench.run.model import BadImage, ModelRun, one_line, prepare
from aas_bench.serving.bounds import Bounds
from aas_bench.serving.payload import Asked, Picture

LINGER: Final = 0.005
"""Seconds that an idle model waits for a batch to fill."""

PIXELS: Final = 2**26
"""Of the images of one batch, and of those decoded ahead: 200 MB of RGB."""

_LEAST_BATCH: Final = 32


class BusyError(BackendError):
    """The queue is full; `retry_after` says in how many seconds there may be room."""

    def __init__(self, retry_after: int) -> None:
        super().__init__(
            f"the queue is full. Come again in {retry_after} s, or send fewer at once.",
            retryable=True,
        )
        self.retry_after = retry_after


class _Job:
    """A request under way."""

    def __init__(self, asked: Asked, model: RewardModel) -> None:
        self.asked = asked
        self.future: Future[list[float]] = Future()
        self.taken = 0
        self.scores: list[float] = []
        judge = model if asked.strength is None else ContrastiveReward(model, asked.strength)
        terms = [judge.terms(p, o) for p, o in zip(asked.prompts, asked.originals, strict=True)]
        self.cells: list[tuple[Picture, tuple[Term, ...]]] = [
            (asked.pictures[image], terms[prompt]) for image, prompt in asked.cells
        ]

    @property
    def left(self) -> int:
        return len(self.cells) - self.taken

    def done(self, scores: Sequence[float]) -> None:
        self.scores += scores
        if len(self.scores) == len(self.cells):
            self._settle(self.future.set_result, self.scores)

    def failed(self, error: Exception) -> None:
        self.taken = len(self.cells)
        self._settle(self.future.set_exception, error)

    def _settle(self, setter: Any, value: Any) -> None:
        with suppress(InvalidStateError):  # whoever asked may have left
            setter(value)


class Batcher:
    """Scores requests with one reward model, in a thread of its own.

    Args:
        model: The reward model.
        bounds: How many cells may wait.
        threads: Threads that decode and preprocess.
    """

    def __init__(self, model: RewardModel, bounds: Bounds, *, threads: int = 2) -> None:
        self.model = model
        self._bounds = bounds
        self._run = ModelRun(model, batch_size=model.batch_size)
        self._most = max(_LEAST_BATCH, 2 * model.batch_size)
        self._jobs: deque[_Job] = deque()
        self._waiting = 0
        self._pace = 0.0
        self._ahead: dict[str, tuple[Future[list[Any]], int]] = {}
        self._closed = False
        self._changed = threading.Condition()
        self._at_work = threading.Lock()
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="prepare")
        self._worker = threading.Thread(target=self._work, name=f"score {model.name}", daemon=True)
        self._worker.start()

    @property
    def waiting(self) -> int:
        """Cells that wait."""
        return self._waiting

    def submit(self, asked: Asked) -> Future[list[float]]:
        """The scores of a request's cells, in order, once they are there.

        The future fails with an InputError that says which image cannot be read, or with a
        BackendError that says what the model did. Cancelled, what is left of the request is not
        scored.

        Raises:
            BusyError: Too much is waiting, or the batcher is closed.
        """
        job = _Job(asked, self.model)
        if not job.cells:
            job.done([])
            return job.future
        with self._changed:
            if self._closed or (self._waiting and self._waiting + job.left > self._bounds.queue):
                raise BusyError(max(1, min(60, math.ceil(self._waiting * self._pace))))
            self._jobs.append(job)
            self._waiting += job.left
            self._look_ahead()
            self._changed.notify()
        return job.future

    def read(self, prompts: Sequence[str]) -> dict[str, list[bool] | list[float] | None]:
        """How much of each prompt the model reads; waits while a batch is scored."""
        with self._at_work:
            cut, unknown = self.model.truncated(prompts), self.model.unknown_tokens(prompts)
        return {
            "truncated": [bool(each) for each in cut],
            "unknown_tokens": None if unknown is None else [float(share) for share in unknown],
        }

    def close(self) -> None:
        """Finish the batch under way, fail what waits and end the thread."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._worker.join()
        self._pool.shutdown(cancel_futures=True)
        for job in self._jobs:
            job.failed(BackendError("the server is shutting down. Try again later."))
        self._jobs.clear()

    def _work(self) -> None:
        while batch := self._take():
            start = time.monotonic()
            with self._at_work:
                self._score(batch)
            with self._changed:  # of clients that left
                for job, i in batch:
                    self._ahead.pop(job.cells[i][0].key, None)
            pace = (time.monotonic() - start) / len(batch)
            self._pace = pace if self._pace == 0.0 else 0.8 * self._pace + 0.2 * pace

    def _take(self) -> list[tuple[_Job, int]]:
        """The cells of the next batch; empty once the batcher is closed."""
        with self._changed:
            batch: list[tuple[_Job, int]] = []
            while not batch:
                self._changed.wait_for(lambda: self._jobs or self._closed)
                if self._closed:
                    return []
                if self._waiting < self._most:
                    self._changed.wait_for(
                        lambda: self._waiting >= self._most or self._closed, LINGER
                    )
                batch = self._next()
            self._look_ahead()
            return batch

    def _next(self) -> list[tuple[_Job, int]]:
        batch: list[tuple[_Job, int]] = []
        pixels = 0
        while self._jobs and len(batch) < self._most and pixels < PIXELS:
            job = self._jobs.popleft()
            if job.future.done():
                self._waiting -= job.left
                for picture, _ in job.cells[job.taken :]:
                    self._ahead.pop(picture.key, None)
                continue
            while job.left and len(batch) < self._most and pixels < PIXELS:
                batch.append((job, job.taken))
                pixels += job.cells[job.taken][0].pixels
                job.taken += 1
                self._waiting -= 1
            if job.left:
                self._jobs.append(job)
                break
        return batch

    def _look_ahead(self) -> None:
        """Begin to decode what the next batch needs."""
        pixels = sum(n for _, n in self._ahead.values())
        for job in self._jobs:
            for picture, _ in job.cells[job.taken :]:
                if len(self._ahead) >= self._most or pixels >= PIXELS:
                    return
                if picture.key not in self._ahead and self._run.uncached([picture.key]):
                    self._ahead[picture.key] = (self._prepare(picture), picture.pixels)
                    pixels += picture.pixels

    def _prepare(self, picture: Picture) -> Future[list[Any]]:
        return self._pool.submit(prepare, {"bytes": picture.data}, [self.model])

    def _score(self, batch: Sequence[tuple[_Job, int]]) -> None:
        """Score the cells of several requests; what fails together is tried request by request."""
        jobs = list(dict.fromkeys(job for job, _ in batch if not job.future.done()))
        try:
            found = self._found(job.cells[i] for job, i in batch if not job.future.done())
        except Exception as error:  # whatever a model raises is the fault of a request
            self._renew()
            if len(jobs) == 1:
                ours = isinstance(error, AasBenchError)
                jobs[0].failed(
                    error if ours else BackendError(f"{self.model.name!r}: {one_line(error)}")
                )
            else:
                for job in jobs:
                    self._score([cell for cell in batch if cell[0] is job])
            return
        for job in jobs:
            try:
                job.done([self._cell(found, *job.cells[i]) for of, i in batch if of is job])
            except (InputError, BackendError) as error:
                job.failed(error)

    def _found(
        self, cells: Iterable[tuple[Picture, tuple[Term, ...]]]
    ) -> dict[tuple[str, str], float | BadImage]:
        wanted = list(cells)
        pictures = {picture.key: picture for picture, _ in wanted}
        prompts = dict.fromkeys(term.prompt for _, terms in wanted for term in terms)
        self._run.bound_prompts()
        with self._changed:
            ahead = {key: self._ahead.pop(key)[0] for key in pictures if key in self._ahead}
        futures = {
            key: ahead.get(key) or self._prepare(pictures[key])
            for key in self._run.uncached(pictures)
        }
        prepared = {key: future.result()[0] for key, future in futures.items()}
        self._run.plan_prompts(prompts)
        return self._run.scores(
            ((picture.key, term.prompt) for picture, terms in wanted for term in terms), prepared
        )

    def _cell(
        self,
        found: dict[tuple[str, str], float | BadImage],
        picture: Picture,
        terms: tuple[Term, ...],
    ) -> float:
        numbers = []
        for term in terms:
            score = found[picture.key, term.prompt]
            if isinstance(score, BadImage):
                raise InputError(score.reason)
            if not math.isfinite(score):
                msg = f"reward model {self.model.name!r} gave {score} for {term.prompt!r:.80}."
                raise BackendError(f"{msg} Scores must be finite; try dtype float32.")
            numbers.append(score)
        return weighted_sum(terms, numbers)

    def _renew(self) -> None:
        """A new run, which knows nothing of what the one before was asked."""
        self._run = ModelRun(self.model, batch_size=self._run.batch_size)
