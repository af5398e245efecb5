"""What the course reads and writes: MNIST, the weights that ship, its folders."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from iadb_helpers.doctor.finding import (
    COURSE,
    Finding,
    fault,
    note,
    ok,
    python_command,
    quoted,
    set_command,
    unset_command,
)


def _at_home(name: str) -> str:
    """A folder that can be written where the course's own cannot."""
    return os.path.join(os.path.expanduser("~"), name)


@contextlib.contextmanager
def _removed_again(folder: Path) -> Iterator[None]:
    """Takes away the folders that were made on the way to one, so that looking leaves nothing behind."""
    made = [path for path in (folder, *folder.parents) if not os.path.lexists(path)]
    try:
        yield
    finally:
        for path in made:
            with contextlib.suppress(OSError):  # not made after all, or in use by now
                path.rmdir()


def _check_folder(folder: Path) -> None:
    """Whether files can be written into a folder, which need not be there.

    Raises:
        OSError: if not; says why.
        ValueError: if there can be no such folder.
    """
    from iadb_helpers.machine.files import check_writable, full_path

    with _removed_again(full_path(folder)):
        check_writable(folder / "doctor.txt")


def mnist() -> Finding:
    """Which digits ``load_mnist`` would give, and whether they are whole."""
    from iadb_helpers.data import SOURCES
    from iadb_helpers.machine.files import ROOT, display_path, path_setting
    from iadb_helpers.machine.mnist_files import MNIST_SHA256, faults, faults_in_words

    source = os.environ.get("IADB_SOURCE") or "auto"
    if source not in SOURCES:
        return fault(f"IADB_SOURCE must be one of {', '.join(SOURCES)}, got {source!r}", unset_command("IADB_SOURCE"))
    if source == "embedded":
        return ok("the 5,000 embedded digits, as IADB_SOURCE asks for")
    root = path_setting("IADB_DATA", ROOT / "data")
    found = faults(root)
    fetch = f"{python_command()} -c \"from iadb_helpers import load_mnist; load_mnist(source='download')\""
    if not found:
        return ok(f"all 70,000 digits, whole, in {display_path(root)}")
    if source == "local":
        return fault(f"IADB_SOURCE is local, and {faults_in_words(found)}", unset_command("IADB_SOURCE"))
    missing = set(found.values()) == {"missing"}
    try:
        _check_folder(root / "MNIST" / "raw")
    except (OSError, ValueError) as error:
        elsewhere = set_command("IADB_DATA", _at_home("iadb-data"))
        if source == "download" or not missing:
            return fault(f"{faults_in_words(found)}, and it cannot be fetched anew: {error}", elsewhere)
        return note(f"not in {display_path(root)}, so the lessons use the 5,000 embedded digits: {error}", elsewhere)
    if missing:
        what = "not yet" if len(found) == len(MNIST_SHA256) else "not whole"
        return note(
            f"{what} in {display_path(root)}: the first lesson fetches 11 MB, and without a network it uses the 5,000 "
            "embedded digits",
            fetch,
        )
    return fault(faults_in_words(found), fetch)


def weights() -> Finding:
    """Whether each file of weights that ships is the one that its card describes, and the chosen one fits."""
    from iadb_helpers.evaluation.classifier import SHIPPED_CLASSIFIER
    from iadb_helpers.guidance import SHIPPED_GAUSSIAN
    from iadb_helpers.weights.cards import check_card, check_sum, read_card
    from iadb_helpers.weights.files import SHELF, load_weights
    from iadb_helpers.weights.shelf import SHIPPED_WEIGHTS, chosen_weights, shipped_path

    files = [*map(shipped_path, SHIPPED_WEIGHTS), SHIPPED_CLASSIFIER, SHIPPED_GAUSSIAN]
    back = "git checkout -- iadb_helpers/weights"
    if not (COURSE / ".git").exists():
        back = "unpack iadb_helpers/weights again, from the archive that this folder came in"
    try:
        for file in files:
            check_card(file)
        features = read_card(SHIPPED_CLASSIFIER)["sha256_of_features"]
        for name, expected in features.items():
            check_sum(SHELF / name, expected)
    except (OSError, ValueError) as error:
        return fault(str(error), back)
    try:
        load_weights(chosen_weights(), "cpu")
    except (OSError, ValueError) as error:
        return fault(f"IADB_WEIGHTS: {error}", unset_command("IADB_WEIGHTS"))
    return ok(f"{len(files) + len(features)} files, each as its card says")


def write_access() -> Finding:
    """Whether results can be written, and notebooks saved."""
    from iadb_helpers.machine.files import ROOT, check_writable, display_path, path_setting

    # Who works elsewhere, as students do on a server with one course for all, saves notebooks there.
    notebooks = COURSE / "notebooks" if Path.cwd().is_relative_to(COURSE) else Path.cwd()
    try:
        results = path_setting("IADB_RESULTS", ROOT / "results")
        _check_folder(results)
    except (OSError, ValueError) as error:
        setting = "IADB_RESULTS" if os.environ.get("IADB_RESULTS") else "results"
        return fault(f"{setting}: {error}", set_command("IADB_RESULTS", _at_home("iadb-results")))
    try:
        if notebooks.is_dir():
            check_writable(notebooks / "doctor.txt")
    except OSError as error:
        copied = _at_home("iadb-notebooks")
        code = f"import shutil; shutil.copytree({str(COURSE / 'notebooks')!r}, {copied!r})"
        return fault(f"notebooks cannot be saved: {error}", f"{python_command()} -c {quoted(code)}")
    return ok(f"results go to {display_path(results)}, and notebooks can be saved")
