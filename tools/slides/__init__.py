"""The lecture's slides and the formula sheet: ``python -m tools.slides`` writes what teaching/ hands out of them."""
