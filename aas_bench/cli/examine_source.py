"""`doctor`."""

from __future__ import annotations

from typing import Annotated

import typer

from aas_bench.cli.options import Config, Json, Revision, Split, emit, find_data, say
from aas_bench.cli.scoring import BatchSize, Device, Dtype


def doctor(
    source: Annotated[
        str,
        typer.Argument(
            callback=find_data,
            help="Pairs, scores, a folder of images, a run, a task, or a Hub id.",
        ),
    ],
    *,
    reward: Annotated[
        str | None, typer.Option("--reward", "-r", help="Reward model to ask, on 8 of the pairs.")
    ] = None,
    config: Config = None,
    split: Split = None,
    revision: Revision = None,
    batch_size: BatchSize = None,
    device: Device = None,
    dtype: Dtype = None,
    as_json: Json = False,
) -> None:
    """Look at pairs and scores before a run: what to mend, and what it changes.

    Leaves with 0 where nothing asks for mending, with 1 where something does, with 2 where the
    source cannot be read. In a run directory the page is kept as doctor.json.
    """
    from datasets import disable_progress_bars

    from aas_bench.diagnosis.examine import doctor as examine

    disable_progress_bars()
    found = examine(
        source,
        reward=reward,
        config=config,
        split=split,
        revision=revision,
        device=device,
        dtype=dtype,
        batch_size=batch_size,
    )
    if as_json:
        emit(found.to_dict())
    else:
        say(found)
    if not found.healthy:
        raise typer.Exit(1)
