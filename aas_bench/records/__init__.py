"""Leaderboard records: what was measured or published, checked, stored and recomputed."""
