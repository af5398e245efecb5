"""How long each lesson takes on a GPU, by its code cells alone: ``python -m benchmarks.lessons``."""

import argparse
import re
import sys
import tempfile
import time

from benchmarks.report import printed_by, record
from iadb_helpers.machine.files import ROOT
from iadb_helpers.weights import shipped_path

LESSONS = sorted((ROOT / "notebooks").glob("[0-9A][0-9]_*.ipynb"))


def main() -> None:
    argparse.ArgumentParser(prog="python -m benchmarks.lessons", description=__doc__).parse_args()
    took, failed, absent = {}, {}, {}
    with tempfile.TemporaryDirectory() as folder:  # else lesson 03 would go on with a training of before
        for path in LESSONS:
            started = time.monotonic()
            try:
                printed_by("tools.cells", str(path), IADB_RESULTS=folder, IADB_WEIGHTS=str(shipped_path()))
                took[path.stem] = round(time.monotonic() - started, 1)
                print(f"{path.stem}: {took[path.stem]} s", flush=True)
            except RuntimeError as error:
                failed[path.stem] = str(error)
                print(error, flush=True)
            absent = {
                name: found[1] for name, why in failed.items() if (found := re.search(r"No module named '(\w+)", why))
            }
            record("lessons", {"seconds": took, "not_run_for_lack_of": absent})  # as soon as it is there
    wrong = [why for name, why in failed.items() if name not in absent]
    if wrong:
        sys.exit("; ".join(wrong))


if __name__ == "__main__":
    main()
