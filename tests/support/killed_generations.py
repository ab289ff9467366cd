"""Runs of weights that die at a chosen image, by SIGKILL; each in a process of its own.

This program imports the libraries once and forks for every job, a line of JSON on stdin: the
submission's file, the prompts' file, the run directory, the batch size and after which image to
die. It answers with the exit code of the fork.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import contextmanager


def run(submission, prompts, out, batch_size):
    """Make the images of a submission, as the leaderboard's program does."""
    from aas_bench.generators.spec import load_submission
    from aas_bench.run.generate import generate
    from aas_bench.run.prompts import load_prompts

    asked = load_prompts(prompts)
    options = {"batch_size": batch_size, "device": "cpu", "progress": False}
    return generate(load_submission(submission), asked, out=out, **options)


@contextmanager
def killer():
    """A function like `run` that dies after image number `at`, before that image's record."""
    command = [sys.executable, "-m", "support.killed_generations"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    with subprocess.Popen(command, env=environment, **pipes) as process:

        def killed(submission, prompts, out, batch_size, *, at):
            job = [str(submission), str(prompts), str(out), batch_size, at]
            process.stdin.write(json.dumps(job) + "\n")
            process.stdin.flush()
            return int(process.stdout.readline())

        yield killed
        process.stdin.close()


def _die_after(n_images):
    from aas_bench.run import made_images

    write, left = made_images.write_atomically, [n_images]

    def write_and_die(path, content):
        write(path, content)
        left[0] -= path.suffix == ".png"
        if not left[0]:
            os.kill(os.getpid(), signal.SIGKILL)

    made_images.write_atomically = write_and_die


def _serve():
    import aas_bench.generators.diffusers  # noqa: F401 - imported once, for all forks

    for line in sys.stdin:
        *job, at = json.loads(line)
        child = os.fork()
        if not child:
            _die_after(at)
            run(*job)
            os._exit(0)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)  # noqa: T201


if __name__ == "__main__":
    _serve()
