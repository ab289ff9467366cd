"""Long work that tests break: begun in forks of one process that has imported everything.

A fork begins to work at once, so that an instant of a run is hit and not the imports. Each job
takes small steps, some slowed down to leave time to be killed in. As a program it reads lines of
JSON: `["start", log, job, arguments...]` is answered with the process id of the fork, and
`["wait", id]` with its exit code.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import traceback
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

QUICK = {"backoff": 0.001, "timeout": 5.0, "max_wait": 0.5, "concurrency": 2, "progress": False}
STEP = 0.01


class Child:
    """A job at work."""

    def __init__(self, ask, pid, log):
        self._ask, self.pid, self.log = ask, pid, log

    def kill(self, number=signal.SIGKILL):
        """Send a signal; until `wait` the id is its own, also where it has ended."""
        os.kill(self.pid, number)

    def wait(self):
        """The exit code; minus the signal that ended it."""
        return self._ask("wait", self.pid)

    def said(self):
        return self.log.read_text(encoding="utf-8") if self.log.exists() else ""


@contextmanager
def workshop(environment, folder):
    """A function that starts a job in a fork."""
    command = [sys.executable, "-m", "support.fault_jobs"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    paths = {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    with subprocess.Popen(command, env={**environment, **paths}, **pipes) as process:
        assert process.stdout.readline() == "ready\n"

        def ask(*line):
            process.stdin.write(json.dumps(line) + "\n")
            process.stdin.flush()
            return int(process.stdout.readline())

        n = [0]

        def start(job, *arguments):
            n[0] += 1
            log = folder / f"{n[0]}.log"
            return Child(ask, ask("start", str(log), job, *map(str, arguments)), log)

        yield start
        process.stdin.close()


class Job(NamedTuple):
    """What to do, and what of its results every run of it must give."""

    run: str
    result: object
    n_rows: int


# The jobs, as they run in a fork.


def score_pairs(out):
    from support.kill_runs import toy_run

    toy_run(Path(out))


def ask_judges(url, out):
    from support.loopback_judge import dark_pairs

    from aas_bench.run.judge import judge

    out = Path(out)
    places = {"out": out / "run", "cache": out / "cache", "base_url": url}
    judge(dark_pairs(20), "openai:m-1", **places, **QUICK)


def run_leaderboard(submission, out):
    from aas_bench.run import made_images

    slowed(made_images, "write_atomically")
    command("leaderboard", "run", submission, "-r", "polish", "--limit", "12", "--out", out)


def build_dataset(out, n="40"):
    from support.toy_builder import Toy

    from aas_bench.publish import build as module

    slowed(Toy, "rows")
    return module.build([Toy(n=int(n))], Path(out), progress=False)


def publish_dataset(repo, n, out):
    from aas_bench.publish.push import publish
    from aas_bench.publish.sync import Target

    publish(build_dataset(out, n), Target(repo=repo, create_pr=False))


def take_votes(pairs, votes, told):
    """Serve the voting page; its address is written to `told`."""
    from aas_bench.cli.options import now
    from aas_bench.people.ballot import Ballot
    from aas_bench.people.voting_page import VotingServer
    from aas_bench.tables.pairs import load_pairs
    from aas_bench.tables.votes import VotesFile

    file = VotesFile(Path(votes))
    server = VotingServer(Ballot(load_pairs(pairs), file, seed=0, now=now), rater="Ada")
    Path(told).write_text(server.url, encoding="utf-8")
    server.serve_forever()


def command(*arguments):
    """The command line, as a program of its own would run it."""
    from aas_bench.cli import main

    sys.argv = ["aas-bench", *arguments]
    main()


def slowed(owner, name):
    """Let a function take a moment longer."""
    function = getattr(owner, name)

    def later(*args, **kwargs):
        time.sleep(STEP)
        return function(*args, **kwargs)

    setattr(owner, name, later)


JOBS = {
    each.__name__: each
    for each in (
        *(score_pairs, ask_judges, run_leaderboard, build_dataset, publish_dataset),
        *(take_votes, command),
    )
}


def _work(log, job, *arguments):
    """Run a job in this fork, and leave."""
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    os.dup2(file, 1)
    os.dup2(file, 2)
    code = 0
    try:
        JOBS[job](*arguments)
    except SystemExit as stop:
        code = stop.code or 0
    except BaseException:
        traceback.print_exc()
        code = 70
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _serve():
    import support.kill_runs
    import support.loopback_judge
    import support.toy_builder  # noqa: F401

    import aas_bench.judges.chat_judge
    import aas_bench.pages.generator
    import aas_bench.pages.report
    import aas_bench.people.voting_page
    import aas_bench.publish.push
    import aas_bench.run.generate
    import aas_bench.run.judge
    import aas_bench.run.score  # noqa: F401 - imported once, for all forks

    print("ready", flush=True)  # noqa: T201
    for line in sys.stdin:
        asked, *rest = json.loads(line)
        if asked == "wait":
            answer = os.waitstatus_to_exitcode(os.waitpid(rest[0], 0)[1])
        else:
            answer = os.fork()
            if not answer:
                signal.signal(signal.SIGINT, signal.default_int_handler)
                _work(*rest)
        print(answer, flush=True)  # noqa: T201


if __name__ == "__main__":
    _serve()
