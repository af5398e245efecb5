"""Run a notebook's code as plain Python, where there is no Jupyter: ``python -m tools.cells NOTEBOOK``."""

import argparse
import json
import os
import sys
import time
from pathlib import Path
from unittest.mock import patch


class CellError(RuntimeError):
    """A cell failed; says which one, and why."""


def run_cells(path: Path) -> dict[str, object]:
    """Execute the code cells in order, and return the names that they leave behind.

    The results of last lines are not shown, and no figure opens a window. Cells may change the whole process; its
    environment is put back.

    Raises:
        CellError: if a cell fails; its cause is what the cell raised.
    """
    names: dict[str, object] = {"__name__": "__main__"}
    with patch.dict(os.environ, MPLBACKEND="Agg"):
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
            if cell["cell_type"] == "code":
                try:
                    exec(compile("".join(cell["source"]), cell["id"], "exec"), names)
                except Exception as error:
                    raise CellError(f"cell {cell['id']} of {path.name}: {type(error).__name__}: {error}") from error
    return names


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tools.cells", description=__doc__)
    parser.add_argument("notebook", type=Path)
    path, started = parser.parse_args().notebook, time.monotonic()
    try:
        run_cells(path)
    except (OSError, ValueError) as error:  # no such file, or no notebook
        sys.exit(f"error: {error}")
    print(f"{path.stem}: {time.monotonic() - started:.1f} s")


if __name__ == "__main__":
    main()
