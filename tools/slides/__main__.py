"""Write teaching/slides.html, slides.pdf and formulas.pdf: ``python -m tools.slides``, or ``make slides``."""

import argparse
import sys

from iadb_helpers.machine.files import display_path, write_together
from tools.slides.page import fingerprint, formulas_page, slides_page
from tools.slides.pdf import printed
from tools.slides.rendering import TEACHING


def main(arguments: list[str] | None = None) -> int:
    argparse.ArgumentParser(prog="python -m tools.slides", description=__doc__).parse_args(arguments)
    try:
        deck, sheet = slides_page(), formulas_page()
        files = {
            TEACHING / "slides.html": deck.encode(),
            TEACHING / "slides.pdf": printed(slides_page(paper=True), fingerprint("slides")),
            TEACHING / "formulas.pdf": printed(sheet, fingerprint("formulas")),
        }
    except (ValueError, OSError, RuntimeError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    write_together(files)
    print(", ".join(f"{display_path(path)} {len(content) / 1e6:.1f} MB" for path, content in files.items()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
