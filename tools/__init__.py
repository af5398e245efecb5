"""What runs and builds the series; the lessons and the package need none of it."""
