"""The α explorer as one page of HTML: ``python -m iadb_helpers.explorer page out.html``."""

import argparse
import base64
import io
from pathlib import Path
from string import Template
from typing import Any

import matplotlib.pyplot as plt

from iadb_helpers.explorer.fragment import PANELS, scrubber, still_strip
from iadb_helpers.explorer.frames import MAX_DIGITS, Frames, deblending_frames, draw_noise
from iadb_helpers.explorer.widget import MAX_STEPS
from iadb_helpers.machine.command_line import path, seed, whole_number
from iadb_helpers.machine.files import check_writable, display_path, write_atomically
from iadb_helpers.weights.files import load_weights
from iadb_helpers.weights.shelf import load_pretrained

TEMPLATE = Path(__file__).with_name("page.html")


def page(frames: Frames) -> str:
    """The static form as a whole page of HTML that fetches nothing: for a course site, or a USB stick."""
    digit = min(3, frames.x_alpha.shape[1] - 1)  # with the shipped weights and seed 0, one that is easily read
    figure = still_strip(frames, "One digit on its path, and what the network has in mind", digit)
    file = io.BytesIO()
    figure.savefig(file, dpi=110)
    plt.close(figure)  # else a notebook would show it, too
    strip = base64.b64encode(file.getvalue()).decode()
    template = Template(TEMPLATE.read_text(encoding="utf-8"))
    return template.substitute(fragment=scrubber(frames, tuple(PANELS))._repr_html_(), strip=strip)


def page_command(args: argparse.Namespace) -> int:
    """Write the page of some digits and weights; returns the exit status."""
    if args.out.suffix.lower() not in (".html", ".htm"):
        raise ValueError(f"a page must be a name that ends in .html, got {str(args.out)!r}")
    check_writable(args.out)
    model = load_weights(args.weights) if args.weights else load_pretrained()
    x0 = draw_noise(args.digits, args.seed).to(next(model.parameters()).device)
    write_atomically(args.out, page(deblending_frames(model, x0, MAX_STEPS)).encode())
    print(f"{display_path(args.out)}: {args.out.stat().st_size / 1e6:.1f} MB, opens in any browser with no network")
    return 0


def add_page_command(commands: Any) -> None:
    """Add ``page`` to the subparsers of a command line."""
    command = commands.add_parser("page", help="write the α explorer as one HTML page that needs no network")
    command.set_defaults(run=page_command)
    command.add_argument("out", type=path, help="the page, for example out.html")
    command.add_argument("--weights", type=path, help="weights or a training checkpoint (default: what ships)")
    command.add_argument("--digits", type=whole_number(MAX_DIGITS), default=16, help="how many (default: 16)")
    command.add_argument("--seed", type=seed, default=0, help="of the noise")
