"""Write the website of the series into ``site/``: ``python -m tools.site``."""

import shutil
import sys
import tempfile
import time
from pathlib import Path

from iadb_helpers.machine.files import ROOT, display_path
from tools.site.build import build
from tools.site.checks import html_pages
from tools.site.front import front_page

SITE = ROOT / "site"


def main(out: Path = SITE) -> int:
    started = time.monotonic()
    try:
        if out.exists() and not (out / ".buildinfo").is_file() and (out.is_file() or any(out.iterdir())):
            raise ValueError(f"{display_path(out)} holds what is no website of ours, and would be lost: move it away")
        # Beside the old one, which is replaced at once, or stays.
        with tempfile.TemporaryDirectory(dir=out.parent, prefix=f"{out.name}-") as folder:
            fresh = Path(folder) / "site"
            build(fresh, front_page)
            if out.exists():
                shutil.rmtree(out)
            fresh.rename(out)
    except (ValueError, OSError) as error:
        reason = error if isinstance(error, ValueError) else str(error)[:300]  # a full disk is told of for every file
        print(f"error: the site is not built\n{reason}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\ninterrupted; the site is as it was", file=sys.stderr)
        return 130
    size = sum(path.stat().st_size for path in out.rglob("*") if path.is_file())
    seconds = time.monotonic() - started
    print(f"{len(html_pages(out))} pages, {size / 1e6:.0f} MB, {seconds:.0f} s: open {display_path(out)}/index.html")
    return 0


if __name__ == "__main__":
    sys.exit(main())
