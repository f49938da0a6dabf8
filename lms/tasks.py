"""Background work of the courses."""

from lms.services import searching, updates


def tell_collected_updates() -> str:
    """Send off collected changes of courses that are quiet again; to be scheduled each minute."""
    return f"{updates.tell_collected()} courses"


def renew_searches(author_id: int) -> str:
    """Have the courses of an author found by their present name."""
    return f"{searching.renew_searches(author_id)} courses"
