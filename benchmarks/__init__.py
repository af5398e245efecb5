"""The measured claims of the README, each a command: ``python -m benchmarks.training`` and its neighbours."""
