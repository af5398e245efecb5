"""Whether this computer is ready for the lessons: ``python -m iadb_helpers doctor``, a line for each thing.

It must start where PyTorch or NumPy is missing or broken, so each check imports for itself what it needs.
"""

from __future__ import annotations  # the doctor must also tell an older Python that it is too old

from iadb_helpers.doctor.examination import CHECKS, add_doctor_command, examine, main
from iadb_helpers.doctor.finding import Finding

__all__ = ["CHECKS", "Finding", "add_doctor_command", "examine", "main"]
