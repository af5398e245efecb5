"""Store every notebook's outputs, and how long each took: ``python -m benchmarks.notebook_times``."""

import json
import platform
from pathlib import Path

from benchmarks.report import DEVICE
from iadb_helpers.machine.device import describe_machine
from iadb_helpers.machine.files import write_atomically
from iadb_helpers.machine.profile import profile
from tools.notebooks import store

TIMES = Path(__file__).with_name("notebook_times.json")


def main() -> None:
    record = {
        "machine": describe_machine(DEVICE),
        "profile": profile(DEVICE).name,
        "python": platform.python_version(),
        "seconds": store(),
    }
    write_atomically(TIMES, (json.dumps(record, indent=2) + "\n").encode())


if __name__ == "__main__":
    main()
