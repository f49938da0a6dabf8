from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from project.school.current import last_known_school


def school(request: HttpRequest) -> dict[str, object]:
    """Each page can name the school; one that doesn't, doesn't read it."""
    return {"school": SimpleLazyObject(last_known_school)}
