"""The tables that errors pass through on their way out have every error in them."""

import ast
import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.conf import settings

from project.api import STATUSES, api
from project.common.api.messages import MESSAGES
from project.common.api.problems import CODES, TITLES
from project.common.background.schedules import SCHEDULES
from project.common.errors import DomainError

APPS = ("lms", "payments", "people", "project")

# What each part of a compiled schema (of pydantic-core) can complain of.
COMPLAINTS = {
    "str": {"string_type", "string_unicode"},
    "int": {"int_type", "int_parsing", "int_parsing_size", "int_from_float", "finite_number"},
    "bool": {"bool_type", "bool_parsing"},
    "decimal": {"decimal_type", "decimal_parsing", "finite_number", "decimal_whole_digits"},
    "enum": {"enum"},
    "literal": {"literal_error"},
    "model-fields": {"missing", "model_attributes_type"},
    "model": {"model_type"},
    "list": {"list_type"},
    "dict": {"dict_type"},
    "url": {"url_type", "url_parsing", "url_scheme", "url_too_long"},
    "uuid": {"uuid_type", "uuid_parsing"},
    "datetime": {"datetime_type", "datetime_parsing", "datetime_from_date_parsing"},
}  # fmt: skip
# These say nothing themselves, or with an error that is raised by name, found below.
SILENT = {
    "nullable", "default", "any", "function-before", "function-after", "function-wrap",
    "function-plain", "union", "definitions", "definition-ref", "model-field", "is-instance",
    "no-info", "with-info",
}  # fmt: skip
CONSTRAINTS = {
    "min_length": "string_too_short",
    "max_length": "string_too_long",
    "pattern": "string_pattern_mismatch",
    "ge": "greater_than_equal",
    "gt": "greater_than",
    "le": "less_than_equal",
    "max_digits": "decimal_max_digits",
    "decimal_places": "decimal_max_places",
}


def errors_of_the_domain() -> set[type[DomainError]]:
    for app in APPS:
        package = importlib.import_module(app)
        for module in pkgutil.walk_packages(package.__path__, f"{app}."):
            if ".tests" not in module.name and ".migrations" not in module.name:
                importlib.import_module(module.name)
    found: set[type[DomainError]] = set()
    waiting = [DomainError]
    while waiting:
        children = waiting.pop().__subclasses__()
        found.update(children)
        waiting.extend(children)
    return found


def test_every_error_of_the_domain_has_a_status_a_code_and_words():
    errors = errors_of_the_domain()
    assert len(errors) > 10
    without = [error for error in errors if not set(error.__mro__) & set(STATUSES)]
    assert without == []
    assert [error for error in errors if error.code == DomainError.code] == []
    assert [error for error in errors if str(error.message) == str(DomainError.message)] == []


def test_every_status_of_the_table_has_a_code_and_a_title():
    assert set(STATUSES.values()) <= CODES.keys() & TITLES.keys()


def test_a_code_means_one_thing():
    statuses: dict[str, set[int]] = {}
    for error in errors_of_the_domain():
        status = next(STATUSES[kind] for kind in error.__mro__ if kind in STATUSES)
        statuses.setdefault(error.code, set()).add(status)
    assert {code: found for code, found in statuses.items() if len(found) > 1} == {}


def test_whatever_an_input_can_be_refused_for_has_words():
    complaints = set(raised_by_name())
    for operation in input_schemas():
        complaints |= complaints_of(operation)
    assert {"extra_forbidden", "string_too_long", "unstorable_text"} < complaints
    assert complaints - set(MESSAGES) == set()


def input_schemas() -> Iterator[Any]:
    for router in api._get_bound_routers():
        for view in router.path_operations.values():
            for operation in view.operations:
                for model in operation.models:
                    if model.__ninja_param_source__ != "file":
                        yield model.__pydantic_core_schema__


def complaints_of(part: Any) -> set[str]:
    """Walk a compiled schema; a kind of part that COMPLAINTS doesn't know is a KeyError."""
    if isinstance(part, list | tuple):
        return set().union(*(complaints_of(one) for one in part))
    if not isinstance(part, dict):
        return set()
    found = set().union(*(complaints_of(one) for one in part.values()))
    kind = part.get("type")
    if isinstance(kind, str):
        found |= set() if kind in SILENT else COMPLAINTS[kind]
        found |= {CONSTRAINTS[name] for name in CONSTRAINTS if name in part}
        if part.get("extra_behavior") == "forbid" or _forbids(part):
            found.add("extra_forbidden")
    return found


def _forbids(part: dict[str, Any]) -> bool:
    return bool(part.get("config", {}).get("extra_fields_behavior") == "forbid")


def raised_by_name() -> Iterator[str]:
    """The first argument of each `PydanticCustomError(…)` in our code."""
    for call in calls_of("PydanticCustomError"):
        first = call.args[0]
        assert isinstance(first, ast.Constant)
        yield str(first.value)


def calls_of(name: str) -> Iterator[ast.Call]:
    """Each call of a function of this name in our code."""
    for app in APPS:
        for path in sorted(Path(settings.BASE_DIR, app).rglob("*.py")):
            if "tests" in path.relative_to(settings.BASE_DIR).parts:
                continue
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Call) and _name(node.func) == name:
                    yield node


def _name(function: ast.expr) -> str:
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""


# --- Names of tasks, which nothing else checks before they run ------------------------------------


def task_paths() -> set[str]:
    """Those that are enqueued, by their name there and then, and those of the schedules."""
    enqueued = {
        str(call.args[0].value)
        for call in calls_of("enqueue")
        if isinstance(call.args[0], ast.Constant)
    }
    return enqueued | {schedule.path for schedule in SCHEDULES}


def test_the_name_of_a_task_leads_to_a_function_of_tasks():
    paths = sorted(task_paths())
    assert len(paths) > 20
    assert [path for path in paths if not is_task(path)] == []


def is_task(path: str) -> bool:
    module, _, name = path.rpartition(".")
    task = getattr(importlib.import_module(module), name, None)
    return inspect.isfunction(task) and module.rpartition(".")[2] == "tasks"
