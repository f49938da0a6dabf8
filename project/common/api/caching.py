"""Who may keep an answer: nobody but the person it is for."""

from collections.abc import Callable
from functools import wraps

from django.http import HttpRequest, HttpResponse
from django.utils.cache import patch_vary_headers

# What is the same for everybody may be a minute old.
FOR_ALL = "public, max-age=60"
# A browser may keep what it can ask about again by its ETag; a proxy may not.
FOR_ONE = "private, no-cache"
FOR_NOBODY = "no-store"


def kept_by_nobody[Run: Callable[..., HttpResponse]](run: Run) -> Run:
    """Of a router whose answers tell of people and their money: browsers keep them neither."""

    @wraps(run)
    def answer(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponse:
        response = run(request, *args, **kwargs)
        response["Cache-Control"] = FOR_NOBODY
        return response

    return answer  # type: ignore[return-value]


def kept_by_its_reader[Run: Callable[..., HttpResponse]](run: Run) -> Run:
    """Say of each answer who may keep it. To be given to `add_decorator` with `mode="view"`."""

    @wraps(run)
    def answer(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponse:
        response = run(request, *args, **kwargs)
        patch_vary_headers(response, ["Authorization"])
        if request.method == "GET" and response.status_code in {200, 304}:
            tagged = FOR_ONE if "ETag" in response else FOR_NOBODY
            policy = tagged if "Authorization" in request.headers else FOR_ALL
        else:
            policy = FOR_NOBODY
        response.setdefault("Cache-Control", policy)
        return response

    return answer  # type: ignore[return-value]
