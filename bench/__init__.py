"""Scripts that measure and torture the application; each is run with `uv run python -m bench.…`."""
