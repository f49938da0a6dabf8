"""The query of an address has the parameters that its operation knows, each once."""

from collections.abc import Callable
from functools import wraps
from inspect import unwrap
from typing import Any

from django.http import HttpRequest, HttpResponse
from ninja.errors import ValidationError
from ninja.operation import Operation

type Run = Callable[..., HttpResponse]


def exact_query(run: Run) -> Run:
    """Have an operation refuse other parameters: a typo would be dropped in silence, and of two
    values nobody can tell which one counts. To be given to `add_decorator` with `mode="view"`; it is
    asked when the caller is known and the values are checked."""
    operation: Operation = unwrap(run).__self__
    queries = [model for model in operation.models if model.__ninja_param_source__ == "query"]
    known = {name for model in queries for name in model.__ninja_flatten_map__}
    lists = {name for model in queries for name in model.__ninja_collection_fields__}
    view = operation.view_func

    @wraps(view)
    def view_with_exact_query(request: HttpRequest, *args: Any, **values: Any) -> Any:
        errors = [
            {"type": kind, "loc": ("query", name)}
            for name, given in request.GET.lists()
            for kind, is_wrong in (
                ("unknown_parameter", name not in known),
                ("repeated_parameter", name not in lists and len(given) > 1),
            )
            if is_wrong
        ]
        if errors:
            raise ValidationError(errors)
        return view(request, *args, **values)

    operation.view_func = view_with_exact_query
    return run
