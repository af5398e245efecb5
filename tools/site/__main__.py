"""Write the website of the series into ``site/``: ``python -m tools.site``."""

import shutil
import sys
import time
from pathlib import Path

from iadb_helpers.machine.files import ROOT, display_path
from tools.site.build import build
from tools.site.checks import html_pages
from tools.site.front import front_page
from tools.site.lesson import SiteError

SITE = ROOT / "site"


def main(out: Path = SITE) -> int:
    started = time.monotonic()
    fresh = out.with_name(f"{out.name}.new")
    shutil.rmtree(fresh, ignore_errors=True)
    try:
        build(fresh, front_page)
    except (SiteError, OSError) as error:
        print(f"error: the site is not built\n{error}", file=sys.stderr)
        return 1
    shutil.rmtree(out, ignore_errors=True)  # else pages that are gone would stay
    fresh.rename(out)
    size = sum(path.stat().st_size for path in out.rglob("*") if path.is_file())
    seconds = time.monotonic() - started
    print(f"{len(html_pages(out))} pages, {size / 1e6:.0f} MB, {seconds:.0f} s: open {display_path(out)}/index.html")
    return 0


if __name__ == "__main__":
    sys.exit(main())
