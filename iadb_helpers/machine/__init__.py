"""This computer, and nothing of the method: its device and precision, how much work suits it, its files, interrupts."""

from iadb_helpers.machine.device import describe, pick_device
from iadb_helpers.machine.files import ROOT, display_path, results_dir
from iadb_helpers.machine.profile import profile

__all__ = ["ROOT", "describe", "display_path", "pick_device", "profile", "results_dir"]
