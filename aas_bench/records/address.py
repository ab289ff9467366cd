"""Where the results of others are sent: one setting of the deployment."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Final

from aas_bench.errors import InputError

SETTING: Final = "AAS_BENCH_SEND_TO"
RESULTS_REPO: Final = "weathon/aas_bench_results"
_KNOWN: Final = re.compile(r"[\w.-]+/[\w.-]+|https://[^\s\"'<>]+|mailto:[^\s\"'<>]+@[^\s\"'<>]+")


def send_to() -> str:
    """The address: a dataset repository on the Hub (owner/name), an https: or a mailto: link.

    Raises:
        InputError: The setting is none of these.
    """
    return checked_address(os.environ.get(SETTING) or RESULTS_REPO)


def way_to(file: Path) -> str:
    """How a result that was packed gets there, as one line.

    Args:
        file: What `aas-bench results pack` wrote.

    Raises:
        InputError: The setting is no address.
    """
    address = send_to()
    if address.startswith("mailto:"):
        return f"Send it to {address.removeprefix('mailto:')}."
    if address.startswith("https:"):
        return f"Send it through {address}"
    upload = f"hf upload {address} {file} incoming/{file.name} --repo-type dataset --create-pr"
    return f"Send it: {upload}"


def checked_address(address: str) -> str:
    """An address that `send_to` may give.

    Raises:
        InputError: It is none.
    """
    if not _KNOWN.fullmatch(address):
        msg = f"{address!r} is no place for results. Give owner/name, https://... or mailto:..."
        raise InputError(msg)
    return address
