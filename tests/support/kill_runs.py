"""Scoring runs that a test kills; imported by the processes that run them."""

import time

from datasets import load_from_disk
from support.toy_pairs import dataset, rows
from support.toy_rewards import ToyCross, ToyDual

from aas_bench.run.score import score


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
