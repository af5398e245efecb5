"""Which browser is here, and whether it is new enough for the playground."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import webbrowser
from pathlib import Path

from iadb_helpers.doctor.finding import WINDOWS, Finding, fault, note, ok

# The first versions with all that the page needs; playground/check.js tells a reader the same.
OLDEST = {"Chrome": (103,), "Chromium": (103,), "Edge": (103,), "Firefox": (113,), "Safari": (16, 4)}
COMMANDS = {
    "Chrome": ("google-chrome", "google-chrome-stable"),
    "Chromium": ("chromium", "chromium-browser"),
    "Edge": ("microsoft-edge",),
    "Firefox": ("firefox", "firefox-esr"),
}
WAITED = 5.0  # seconds for a browser to say its version


def browser() -> Finding:
    """Whether a browser is here that opens the playground."""
    there = versions()
    told = ", ".join(f"{name} {version}" for name, version in there.items())
    if any(_number(version) >= OLDEST[name] for name, version in there.items()):
        return ok(f"{told}: it opens docs/playground.html")
    needed = "Chrome, Edge or Chromium 103, Firefox 113 or Safari 16.4"
    if there:
        return fault(f"{told} is too old for the playground, which needs {needed} or newer", _install())
    try:
        return note(f"{webbrowser.get().__class__.__name__} opens pages; the playground needs {needed} or newer")
    except webbrowser.Error:
        pass
    if not WINDOWS and sys.platform != "darwin" and not _has_display():
        return note(f"none, and no screen, as on a server: open the pages on a computer with {needed} or newer")
    return fault(f"no browser found; the playground needs {needed} or newer", _install())


def _has_display() -> bool:
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def _number(version: str) -> tuple[int, ...]:
    """The parts as numbers, because 16.10 is newer than 16.4."""
    return tuple(map(int, re.findall(r"\d+", version)))


def _install() -> str:
    """How this system gets a browser."""
    if WINDOWS:
        return "winget install Mozilla.Firefox"
    if sys.platform == "darwin":
        return "open https://www.mozilla.org/firefox/"
    return "sudo apt install firefox" if not shutil.which("dnf") else "sudo dnf install firefox"


def versions() -> dict[str, str]:
    """{name: version} of the browsers that this system tells of without starting a window."""
    if WINDOWS:
        return _of_the_registry()
    return _of_applications() if sys.platform == "darwin" else _of_commands()


def _of_commands() -> dict[str, str]:
    found = {}
    for name, commands in COMMANDS.items():
        command = next(filter(None, map(shutil.which, commands)), None)
        if command:
            try:
                ended = subprocess.run(
                    [command, "--version"], capture_output=True, text=True, errors="replace", timeout=WAITED
                )
            except (OSError, subprocess.TimeoutExpired):
                continue
            version = re.search(r"\d+(\.\d+)+", ended.stdout)
            if version:
                found[name] = version[0]
    return found


def _of_applications() -> dict[str, str]:
    import plistlib

    found = {}
    for name, folder in {
        "Safari": "Safari",
        "Chrome": "Google Chrome",
        "Edge": "Microsoft Edge",
        "Firefox": "Firefox",
    }.items():
        try:
            content = Path(f"/Applications/{folder}.app/Contents/Info.plist").read_bytes()
            found[name] = str(plistlib.loads(content)["CFBundleShortVersionString"])
        except (OSError, ValueError, KeyError):
            continue
    return found


def _of_the_registry() -> dict[str, str]:
    import winreg

    found = {}
    places = {
        "Edge": (r"Software\Microsoft\Edge\BLBeacon", "version"),
        "Chrome": (r"Software\Google\Chrome\BLBeacon", "version"),
        "Firefox": (r"Software\Mozilla\Mozilla Firefox", "CurrentVersion"),
    }
    for name, (key, value) in places.items():
        for hive in (winreg.HKEY_CURRENT_USER, winreg.HKEY_LOCAL_MACHINE):  # pyright: ignore[reportAttributeAccessIssue]
            try:
                with winreg.OpenKey(hive, key) as opened:  # pyright: ignore[reportAttributeAccessIssue]
                    found[name] = str(winreg.QueryValueEx(opened, value)[0])  # pyright: ignore[reportAttributeAccessIssue]
            except OSError:
                continue
    return found
