"""What answers leave behind in a cache that several processes share."""

import os
import time

from aas_bench.service.cache import AnswerCache


def test_what_a_kill_left_is_taken_away_and_what_is_being_written_is_not(tmp_path):
    question = {"model": "m", "prompt": "a cat"}
    AnswerCache(tmp_path).put(question, "yes")
    (stored,) = tmp_path.glob("*/*.json")
    stale, fresh = (stored.with_name(f".aside-{name}") for name in ("stale", "fresh"))
    for aside in (stale, fresh):
        aside.write_text("{")
    hours_ago = time.time() - 2 * 3600
    os.utime(stale, (hours_ago, hours_ago))
    cache = AnswerCache(tmp_path)
    cache.put(question, "yes")
    assert sorted(tmp_path.glob("*/*")) == sorted([stored, fresh])
    assert cache.get(question) == "yes"
