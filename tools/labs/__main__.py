"""Write the labs' student versions, or grade what came back: ``python -m tools.labs``, with ``grade lab1 FOLDER``."""

import argparse
import sys
import time
from pathlib import Path

from iadb_helpers.machine.files import display_path, results_dir, write_together
from tools.labs.course import RELEASE, student_versions
from tools.labs.grading import grade
from tools.labs.results import Graded, write


def release() -> int:
    """Write what students get."""
    files = student_versions()
    for old in set(RELEASE.rglob("*.ipynb")) - files.keys():
        old.unlink()
    for path in files:
        path.parent.mkdir(parents=True, exist_ok=True)
    write_together(files)
    print(f"{len(files)} student versions in {display_path(RELEASE)}")
    return 0


def grade_folder(lab: str, handed_in: Path, out: Path) -> int:
    """Grade all submissions of a folder; returns 1 where one could not be graded."""
    results: list[Graded] = []
    started = time.monotonic()
    try:
        for result in grade(lab, handed_in, out):
            results.append(result)
            told = f"{result.total:g} points{', ' * bool(result.note)}{result.note}" if result.points else result.note
            print(f"{result.student}: {told}", flush=True)
            write(results, lab, out)  # each time, so that an interrupt loses nothing
    except KeyboardInterrupt:
        print(f"\ninterrupted; {len(results)} are graded: {display_path(out / f'{lab}.csv')}", file=sys.stderr)
        return 130
    missing = sum(not result.points for result in results)
    print(
        f"{len(results) - missing} of {len(results)} graded in {(time.monotonic() - started) / 60:.1f} min: "
        f"{display_path(out / f'{lab}.csv')}; for each student, a file in {display_path(out / 'feedback' / lab)}"
    )
    return 1 if missing else 0


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.labs", description=__doc__)
    commands = parser.add_subparsers(dest="command")
    grading = commands.add_parser("grade", help="grade a folder of submissions")
    grading.add_argument("lab", help="lab1, lab2 or homework")
    grading.add_argument("folder", type=Path, help="holds STUDENT.ipynb or STUDENT/ for each student")
    grading.add_argument("--out", type=Path, help="for points, gradebook and feedback (default: results/grading)")
    args = parser.parse_args(arguments)
    try:
        if args.command == "grade":
            return grade_folder(args.lab, args.folder, args.out or results_dir() / "grading")
        return release()
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
