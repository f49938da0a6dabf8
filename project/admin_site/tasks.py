"""Background work of the dashboard; run by the clock."""

from project.admin_site.statistics import count_slow_ones
from project.common.background.outcomes import Counts


def count_figures() -> Counts:
    """Count anew what takes long, so that nobody who opens the dashboard has to wait for it."""
    return {"figures_counted": count_slow_ones()}
