"""Scoring runs that a test kills; imported by the processes that run them."""

import multiprocessing
import signal
import time

from datasets import load_from_disk
from support.toy_pairs import dataset, rows
from support.toy_rewards import ToyCross, ToyDual

from aas_bench.run.score import score

# A server that has imported everything once: its forks begin to score at once.
CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["support.kill_runs"])


def killed_after(seconds, run, out):
    """Begin the run in a process of its own and kill it; whether it was still at work."""
    receiving, sending = CONTEXT.Pipe(duplex=False)
    process = CONTEXT.Process(target=announced, args=(run, out, sending))
    process.start()
    assert receiving.recv() == "begins"
    time.sleep(seconds)
    process.kill()
    process.join()
    assert process.exitcode in {0, -signal.SIGKILL}
    return process.exitcode != 0


class SlowDual(ToyDual):
    """Leaves time to be killed in."""

    def encode_images(self, images):
        time.sleep(0.01)
        return super().encode_images(images)


def toy_run(out):
    models = [SlowDual("dual"), ToyCross("cross")]
    return score(dataset(rows(n_prompts=20)), models, out=out, part_size=4, progress=False)


def split_run(out):
    """Pairs of the counterfactual split, which the test has saved beside `out`."""
    rewards = ["random", "contrastive:random@0.8"]
    return score(
        load_from_disk(out.parent / "split"), rewards, out=out, part_size=8, progress=False
    )


def announced(run, out, sending):
    """Tell that the work begins, then do it."""
    sending.send("begins")
    run(out)


class grown_run:  # noqa: N801 - a function of one step, which a process can be given
    """`toy_run` of some of its pairs, spread over the table; more of them hold the fewer."""

    def __init__(self, n):
        self.n = n

    def __call__(self, out):
        table = list(rows(n_prompts=20))
        some = [row for row in table if row["index"] * 7 % 20 < self.n]
        models = [SlowDual("dual"), ToyCross("cross")][: 1 + (self.n > 9)]
        return score(dataset(some), models, out=out, part_size=4, progress=False)
