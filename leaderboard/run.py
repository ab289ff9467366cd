"""The same as `aas-bench leaderboard`, for whoever reads the submissions in this folder.

python leaderboard/run.py check leaderboard/submissions/*.yaml
python leaderboard/run.py run leaderboard/submissions/builtin_*.yaml --out RUN
"""

import sys

from aas_bench.__main__ import main

if __name__ == "__main__":
    sys.argv[1:1] = ["leaderboard"]
    main()
