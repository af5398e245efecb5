"""Pages as PDF, printed by Chromium."""

import re
import subprocess
import tempfile
from pathlib import Path

from tools.browsers import chromium
from tools.slides.page import MARK

SECONDS = 180  # more than any page here takes


def printed(page: str, fingerprint: str) -> bytes:
    """A page of HTML as PDF, with a last line that says what it was made from.

    Args:
        page: needs nothing from outside, and no script.
        fingerprint: as ``fingerprint`` gives it.

    Raises:
        FileNotFoundError: if there is no Chromium; says what to install.
        RuntimeError: if it printed nothing; says what it complained of.
    """
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        source, out = Path(folder, "page.html"), Path(folder, "page.pdf")
        source.write_text(page, encoding="utf-8")
        options = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={folder}/profile"]
        printing = [
            f"--print-to-pdf={out}",
            "--no-pdf-header-footer",
        ]
        ended = subprocess.run(
            [chromium(), *options, *printing, source.as_uri()],
            capture_output=True,
            text=True,
            encoding="utf-8",
            errors="replace",
            timeout=SECONDS,
        )
        if not out.is_file():
            raise RuntimeError(f"Chromium printed nothing: {ended.stderr[-500:]}")
        return out.read_bytes() + f"%{MARK} {fingerprint}\n".encode()  # a comment, which readers of PDF pass over


def source_of(pdf: bytes) -> str:
    """The fingerprint that a PDF was made with; "" where it has none."""
    found = re.search(rf"%{MARK} ([0-9a-f]{{64}})\s*\Z".encode(), pdf[-200:])
    return found[1].decode() if found else ""
