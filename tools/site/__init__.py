"""The series as one website that opens from a folder, with no network: ``python -m tools.site``."""
