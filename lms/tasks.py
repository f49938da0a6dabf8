"""Background work of the courses, run by the clock."""

from lms.services import updates


def tell_collected_updates() -> str:
    """Send off collected changes of courses that are quiet again; to be scheduled each minute."""
    return f"{updates.tell_collected()} courses"
