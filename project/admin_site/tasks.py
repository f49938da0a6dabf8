"""Background work of the dashboard; run by the clock."""

from project.admin_site.statistics import count_slow_ones


def count_figures() -> str:
    """Count anew what takes long, so that nobody who opens the dashboard has to wait for it."""
    return f"{count_slow_ones()} figures"
