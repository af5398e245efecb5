"""The playground, the network live in a browser, as one page: ``python -m iadb_helpers.explorer page out.html``."""

import argparse
import base64
import io
import json
import re
from pathlib import Path
from string import Template
from typing import Any

import matplotlib.pyplot as plt
import torch

from iadb_helpers.explorer.fragment import still_strip
from iadb_helpers.explorer.frames import deblending_frames
from iadb_helpers.explorer.packing import packed
from iadb_helpers.machine.command_line import path
from iadb_helpers.machine.files import check_writable, display_path, write_atomically
from iadb_helpers.unet import UNet
from iadb_helpers.weights.files import load_weights
from iadb_helpers.weights.shelf import load_pretrained

PLAYGROUND = Path(__file__).with_name("playground")
# In the order in which each makes use of those before it.
WORKER = ("network", "worker")
MODULES = (
    "network", "letters", "noise", "plane", "sampling", "engine", "interface", "state", "pictures", "controls", "field",
    "strokes", "views/scrub", "views/steps", "views/draw", "views/touch", "views/wrong", "views/shapes", "tour", "app",
)  # fmt: skip
STILL = "Two rows of nine pictures. Above, noise clears into a digit. Below, a blur becomes the same digit much sooner."


def page(model: UNet) -> str:
    """The playground of a network as a whole page of HTML that fetches nothing: for a course site, or a USB stick.

    Args:
        model: a network of the reference's size, 64 channels.

    Raises:
        ValueError: for a network of another size.
    """
    networks = packed(model) | {"kernel": _base64((PLAYGROUND / "kernel.wasm").read_bytes())}
    worker = f"{flat(WORKER)}\nserve(self);"
    return Template(_source("page.html")).substitute(
        style=_source("style.css"),
        strip=_base64(_still(model)),
        alt=STILL,
        check=_source("check.js"),
        script=flat(MODULES),
        packed=json.dumps(networks),
        worker=json.dumps(worker).replace("<", "\\u003c"),  # no tag of ours may end the page's script
    )


def flat(modules: tuple[str, ...]) -> str:
    """Modules of script as one: a page opened from a disk may not import another file."""
    lines = [line for name in modules for line in _source(f"{name}.js").splitlines() if not line.startswith("import ")]
    return "\n".join(re.sub(r"^export ", "", line) for line in lines)


def _source(name: str) -> str:
    return (PLAYGROUND / name).read_text(encoding="utf-8")


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()


def _still(model: UNet) -> bytes:
    """A strip of one path, for where no script runs, as a PNG file."""
    x0 = torch.randn(64, 1, 32, 32, generator=torch.Generator().manual_seed(0))[3:4]  # a digit that is easily read
    figure = still_strip(deblending_frames(model, x0, 32), "One digit on its path, and what the network has in mind")
    file = io.BytesIO()
    figure.savefig(file, dpi=110)
    plt.close(figure)  # else a notebook would show it, too
    return file.getvalue()


def page_command(args: argparse.Namespace) -> int:
    """Write the page of some weights; returns the exit status."""
    if args.out.suffix.lower() not in (".html", ".htm"):
        raise ValueError(f"a page must be a name that ends in .html, got {str(args.out)!r}")
    model = load_weights(args.weights) if args.weights else load_pretrained()
    check_writable(args.out)
    try:
        text = page(model.cpu())
    except ValueError as error:
        raise ValueError(f"{display_path(args.weights)}: {error}") from error
    write_atomically(args.out, text.encode())
    print(f"{display_path(args.out)}: {args.out.stat().st_size / 1e6:.1f} MB, opens in any browser with no network")
    return 0


def add_page_command(commands: Any) -> None:
    """Add the command ``page FILE`` to the subparsers of a command line."""
    command = commands.add_parser("page", help="write the playground, the network live in a browser, as one HTML page")
    command.set_defaults(run=page_command)
    command.add_argument("out", type=path, help="the page, for example out.html")
    command.add_argument("--weights", type=path, help="weights or a training checkpoint (default: what ships)")
