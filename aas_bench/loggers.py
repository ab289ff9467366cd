"""Libraries that log what we are about to say in one line of our own."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def silence_loggers(*libraries: str) -> Iterator[None]:
    """Let no log line of these libraries out but critical ones; their errors are still raised.

    Args:
        libraries: Names of loggers, e.g. "huggingface_hub". Import a library before: on import
            it sets its own level.
    """
    loggers = [logging.getLogger(name) for name in libraries]
    levels = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(logging.CRITICAL)
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
