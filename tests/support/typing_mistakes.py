"""What people mistype: the command, and what the one line that answers it must name."""

import shutil
from pathlib import Path

import pandas as pd

BUILT_IN = Path(__file__).parents[2] / "leaderboard/submissions/builtin_faithful.yaml"
CELLS = ("oiop", "oidp", "diop", "didp")
SCORE = "score --data counterfactual --out r"
LEADERBOARD = "leaderboard run mine.yaml --out r"

MISTAKES = {
    # commands, options and their values
    "analyze scores.parquet": "Did you mean 'analyse'",
    "evalute --data counterfactual --reward random --out r": "Did you mean 'evaluate'",
    "leaderboard runn my.yaml --out r": "Did you mean 'run'",
    "analyse scores.parquet --bye dimensions": "--by",
    "publish results --puhs x": "--push",
    "compare scores.parquet hpsv3": "aas-bench compare --help",
    "score --data counterfactual --reward random": "--out",
    "score --reward random --out r": "--data",
    "list reward": "'rewards'",
    "analyse scores.parquet --ties halves": "is not one of 'original', 'half', 'distorted'",
    f"{SCORE} --reward random --dtype fp16": "is not one of 'float32', 'bfloat16', 'float16'",
    f"{SCORE} --reward random --limit -3": "--limit",
    f"{SCORE} --reward random --sample 0": "--sample",
    f"{SCORE} --reward random --batch-size many": "valid integer",
    f"{SCORE} --reward random --device gpu": "Did you mean cuda?",
    f"{SCORE} --reward random --device cdua": "Did you mean cuda",
    f"{SCORE} --reward random --device auto": "Leave device out",
    "judge graded --data scores.parquet --judge vlm:x --out r --device gpu": "Did you mean cuda?",
    f"{LEADERBOARD} --device gpu": "Did you mean cuda?",
    "analyse scores.parquet --confidence 95": "0.95",
    "evaluate --data counterfactual --reward random --out r --confidence 95": "0.95",
    "evaluate --data counterfactual --reward random --out r --task counterfactul": "Did you mean",
    "evaluate --data counterfactual --reward random --out r --generators no.csv": "no.csv",
    "serve --reward random --port 99999999": "65535",
    # names
    "score --data counterfactul --reward random --out r": "Did you mean counterfactual?",
    f"{SCORE} --reward pickscor": "Did you mean pickscore",
    "check-reward randon": "Did you mean random?",
    "serve --reward randon": "Did you mean random?",
    "compare scores.parquet hpsv3 pickscor": "Did you mean pickscore?",
    "analyse scores.parquet --reward hpsv4": "Did you mean hpsv3?",
    "analyse scores.parquet --by dimension": "dimensions",
    "import scores.parquet --cluster dimension": "Did you mean dimensions?",
    f"{SCORE} --reward random --effect blurr": "Did you mean clarity?",
    f"{SCORE} --reward random --effect color-brightnes": "Did you mean color-brightness",
    f"{SCORE} --reward random --dimension claritty": "Did you mean clarity?",
    f"{SCORE} --reward random --dimension gloomy": "Did you mean emotion?",
    f"{LEADERBOARD} --effect blurr": "Did you mean clarity?",
    f"{LEADERBOARD} --rewards pickscor": "Did you mean pickscore",
    f"{LEADERBOARD} --judge openia:gpt-5": "Did you mean openai?",
    f"{LEADERBOARD} --prompts score.csv": "Did you mean scores.csv?",
    "leaderboard run mine.yml --out r": "Did you mean mine.yaml?",
    "leaderboard check mine.yml": "Did you mean mine.yaml?",
    "evaluate --data counterfactual --reward random --out r --by effects": "Did you mean effect",
    "evaluate --data scores.parqet --reward random --out r": "Did you mean scores.parquet?",
    "judge pairwise --data scores.parquet --judge openia:gpt-5 --out l": "Did you mean openai?",
    # paths
    "analyse scores.parqet": "Did you mean scores.parquet?",
    "doctor scores.parquett": "Did you mean scores.parquet?",
    "import score.csv": "Did you mean scores.csv?",
    "view foldr": "Did you mean folder?",
    "report foldr --out r": "Did you mean folder?",
    "annotate --data scores.parqet --out r": "Did you mean scores.parquet?",
    "agreement scores.cvs": "Did you mean scores.csv?",
    "analyse scores.parquet --votes vote.jsonl": "vote.jsonl: there is no such file",
    "results add foldr --to records": "Did you mean folder?",
    "analyse nowhere/scores.parquet": "there is no such file",
    "analyse notes.txt": "Give .parquet, .feather",
    "analyse folder": "folder",
    "analyse table.parquet": "table.parquet",
    "analyse empty.csv": "the table is empty",
    "analyse empty.parquet": "not readable Parquet",
    f"{SCORE.replace(' --out r', '')} --reward random --out notes.txt": "is a file",
    "import scores.parquet --out s.csv": "NAME.parquet",
    "results check recods": "Did you mean records?",
    "results add folder --to records": "neither scores.parquet nor result.json",
    "reproduce --data nowhere.jsonl --out o": "there is no such file",
    # reward models
    f"{SCORE} --reward mine": "mine:FACTORY",
    f"{SCORE} --reward mine.py": "mine:FACTORY",
    f"{SCORE} --reward nomodule:load": "no module 'nomodule'",
    f"{SCORE} --reward mine:laod": "has no attribute 'laod'",
    f"{SCORE} --reward hf:./foldr": "Did you mean folder?",
    f"{SCORE} --reward pickscore:./nofile.pt": "there is no file or folder",
    f"{SCORE} --reward contrastive:random@much": "contrastive:NAME@0.8",
}
"""Command -> what its line says. None is answered by torch."""


def write_files(folder: Path) -> None:
    """What the commands are typed beside."""
    for name in ("empty.csv", "empty.parquet", "notes.txt"):
        (folder / name).touch()
    for name in ("folder", "table.parquet", "records"):
        (folder / name).mkdir()
    shutil.copy(BUILT_IN, folder / "mine.yaml")
    (folder / "mine.py").write_text("def load():\n    return lambda i, p: [len(x) for x in p]\n")
    names = [f"{reward}_{cell}" for reward in ("hpsv3", "pickscore") for cell in CELLS]
    frame = pd.DataFrame({name: [0.1, 0.2 + len(name)] for name in names})
    frame.to_csv(folder / "scores.csv", index=False)
    frame.assign(dimensions=[["blur"], ["gloom"]]).to_parquet(folder / "scores.parquet")
