"""Measures the application under load; each script is run with `uv run python -m bench.…`."""
