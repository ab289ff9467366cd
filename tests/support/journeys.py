"""What the docs tell a reader to type, and a new user who types it."""

import os
import re
import shlex
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]


def blocks(page, heading, kind):
    """The fenced blocks of a kind under a heading of a Markdown page."""
    text = (ROOT / page).read_text(encoding="utf-8")
    level = len(heading.split()[0])
    found, here = [], False
    for part in re.split(r"^(```\w*\n.*?^```\n)", text, flags=re.DOTALL | re.MULTILINE):
        if not part.startswith("```"):
            for line in re.findall(rf"^#{{1,{level}}} .*$", part, re.MULTILINE):
                here = line == heading
        elif here and part.startswith(f"```{kind}\n"):
            found.append(part.removeprefix(f"```{kind}\n").removesuffix("```\n"))
    assert found, f"{page}: no such block under {heading!r}"
    return found


@dataclass
class Journey:
    """A new user in an empty folder."""

    folder: Path
    installed: Path
    settings: dict = field(default_factory=dict)

    def type(self, text):
        """Every line of a block of shell, as it stands; what was printed."""
        return "".join(self._line(line) for line in text.replace("\\\n", " ").splitlines() if line)

    def python(self, code):
        """A block of Python, saved and run."""
        (self.folder / "first.py").write_text(code)
        return self._line("python first.py", most=None)

    def save(self, text):
        """A block whose first line names its file."""
        name = re.match(r"# (\S+)\n", text)[1]
        (self.folder / name).write_text(text)

    def _line(self, line, most=80):
        log = self.folder.with_name("reached")
        settings = {
            "PATH": os.pathsep.join([str(self.installed / "bin"), "/usr/bin", "/bin"]),
            "HOME": str(self.folder.with_name("home")),
            "LANG": "C.UTF-8",
            "COLUMNS": "80",
            "OMP_NUM_THREADS": "1",
            "AAS_TEST_REACHED": str(log),
        }
        done = subprocess.run(
            shlex.split(line, comments=True),
            cwd=self.folder,
            env=settings | self.settings,
            executable=shutil.which(shlex.split(line, comments=True)[0], path=settings["PATH"]),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, (line, done.stderr)
        assert "Traceback" not in done.stderr
        assert "%|" not in done.stderr, "a progress bar in a pipe"
        assert not log.exists(), log.read_text()
        # What is there to be copied stays one line.
        shown = (line for line in done.stdout.splitlines() if not line.startswith("Send it: "))
        wide = max(map(len, shown), default=0)
        assert most is None or wide <= most, done.stdout
        return done.stdout
