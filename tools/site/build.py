"""From sources to a folder of pages: all of it, or nothing and the reasons."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from iadb_helpers.machine.files import ROOT
from tools.site.checks import faults
from tools.site.lesson import SiteError
from tools.site.stage import LINKED, Front, Stage, lay_out


def build(out: Path, front: Front, lessons: Mapping[str, Path] | None = None) -> None:
    """Write the site into a folder, beside what else lies there.

    Args:
        out: the folder; it is written to only when the whole site has been made and checked.
        front: makes the front page.
        lessons: {file name: where it lies} of lessons that were run elsewhere than in the checkout.

    Raises:
        SiteError: with one line for each thing that is wrong, and the page or file it is wrong on.
    """
    with tempfile.TemporaryDirectory(prefix="site-") as folder:
        work = Path(folder).resolve()
        stage = Stage(work)
        lay_out(stage, front, lessons or {})
        shutil.copytree(render(stage, work), out, dirs_exist_ok=True)


def render(stage: Stage, work: Path) -> Path:
    """Turn laid out sources into checked pages.

    Args:
        stage: what to turn.
        work: a folder to work in, whose path must not show in any page.

    Returns:
        The folder of pages, in ``work``.

    Raises:
        SiteError: with one line for each thing that is wrong, and the page or file it is wrong on.
    """
    pages = work / "pages"
    command = [
        *(sys.executable, "-m", "sphinx", "--quiet", "--no-color", "--define", f"html_extra_path={stage.extra}"),
        *("--conf-dir", ROOT / "docs", "--doctree-dir", work / "doctrees", stage.source, pages),
    ]
    # In a process of its own, which Sphinx and its extensions change in many ways.
    ended = subprocess.run(
        command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, encoding="utf-8",
        env={**os.environ, "PYTHONUTF8": "1", "PYTHONWARNINGS": "ignore"},
    )  # fmt: skip
    told = ended.stderr.replace(f"{stage.source}{os.sep}", "")
    wrong = re.sub(r"(?<=\.ipynb):(\d+)(?=: )", _place, told).splitlines()
    if ended.returncode == 0 and not wrong:  # else what Sphinx has said would be said again
        wrong = faults(pages, (str(work),)) + _unknown_downloads(pages)
    if wrong:
        raise SiteError("\n".join(wrong))
    return pages


def _place(line: re.Match) -> str:
    """The cell, counted from 1, of a line in a notebook: for myst-nb each cell has 10,000 lines."""
    return f", cell {int(line[1]) // 10_000}"


def _unknown_downloads(pages: Path) -> list[str]:
    """Files that some page's link made Sphinx hand out, and that nobody has listed."""
    known = {Path(name).name for name in LINKED}
    return [
        f"{path.name} is linked to and not in the list of what is handed out (LINKED in tools/site/stage.py)"
        for path in sorted((pages / "_downloads").rglob("*"))
        if path.is_file() and path.name not in known
    ]
