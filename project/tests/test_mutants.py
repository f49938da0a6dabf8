"""The script of mutants finds faults to plant, and plants them where the code runs."""

import ast
from pathlib import Path
from typing import Any

import pytest

from project.tests.mutants import rules
from project.tests.mutants.__main__ import in_turns
from project.tests.mutants.mutations import Mutant, Source, own_links
from project.tests.mutants.planting import Functions

MODULE = "project.tests.mutants.example"
TEXT = '''
from django.db import transaction
PERIOD = 30
MOVES = {"open": {"paid", "failed"}}

def is_over(days: int, *, at: int = 0) -> bool:
    """Say so."""
    if days < PERIOD and not at:
        return False
    return True

@transaction.atomic
def keep(rows, by):
    rows.select_for_update().filter(by=by, old=True).order_by("-id")
    rows.save()

def _longer_than(length):
    if length < 0:
        raise ValueError(length)
    def check(text):
        return len(text) > length
    return check

CHECKS = [_longer_than(2)]
BATCH = 100

def one(rows, pk):
    return rows.filter(pk=pk).order_by("id").first()
'''


@pytest.fixture
def source(tmp_path: Path) -> Source:
    path = tmp_path / "example.py"
    path.write_text(TEXT)
    return Source(MODULE, path, own_links([path]))


def changes(source: Source) -> dict[tuple[str, str, str], Mutant]:
    return {(one.key[1], one.before, one.after): one for one in source.mutants()}


@pytest.mark.parametrize(
    "change",
    [
        ("PERIOD", "30", "31"),
        ("MOVES", "'failed' in {'paid', 'failed'}", "∅"),
        ("is_over", "days < PERIOD", "days <= PERIOD"),
        ("is_over", "days < PERIOD and (not at)", "days < PERIOD"),
        ("is_over", "not at", "at"),
        ("is_over", "False", "True"),
        ("keep", "rows.save()", "pass"),
        ("keep", "rows.select_for_update()", "rows"),
        ("keep", "'-id'", "'id'"),
    ],
)
def test_a_fault_of_each_kind_is_found(source: Source, change: tuple[str, str, str]) -> None:
    mutant = changes(source)[change]
    assert mutant.after == "∅" or mutant.after in _written(source, mutant)
    assert mutant.is_lock == ("select_for_update" in mutant.before and mutant.after == "rows")


def test_a_transaction_can_be_left_out(source: Source) -> None:
    [mutant] = [one for one in source.mutants() if one.before.startswith("transaction.atomic in")]
    assert (mutant.function, mutant.after, mutant.is_lock) == ("keep", "∅", True)


def test_no_default_and_no_annotation_is_a_fault_to_plant(source: Source) -> None:
    assert not [one for one in source.mutants() if one.before in {"0", "bool", "int"}]


def test_a_planted_fault_is_what_runs(source: Source) -> None:
    names: dict[str, Any] = {}
    exec(compile(TEXT, str(source.path), "exec"), names)  # noqa: S102
    is_over = names["is_over"]
    assert not is_over(29)
    Functions({MODULE: source}).plant(changes(source)["is_over", "False", "True"])
    assert is_over(29)


def test_what_only_runs_at_import_is_no_fault_to_plant_but_what_it_made_is(source: Source) -> None:
    makers = {one.before: one for one in source.mutants() if one.function == "_longer_than"}
    assert set(makers) == {"len(text) > length"}
    names: dict[str, Any] = {}
    exec(compile(TEXT, str(source.path), "exec"), names)  # noqa: S102
    [check] = names["CHECKS"]
    assert not check("ab")
    Functions({MODULE: source}).plant(makers["len(text) > length"])
    assert check("ab")


def test_the_size_of_a_batch_and_the_order_of_one_row_are_no_faults(source: Source) -> None:
    mutants = source.mutants()
    assert not [one for one in mutants if one.name == "BATCH"]
    assert {one.after for one in mutants if one.function == "one"} == {
        "rows",
        "rows.exclude(pk=pk)",
    }


def test_every_rule_module_has_faults_to_plant() -> None:
    modules = rules.rule_modules()
    assert {"lms.services.updates", "people.tokens", "payments.models.payment"} <= set(modules)
    assert len(modules) == len(set(modules))


def test_one_case_of_each_test_is_tried_before_the_others() -> None:
    by_size = ["a.py::one[1]", "a.py::one[2]", "a.py::two", "a.py::one[3]", "b.py::one[1]"]
    assert in_turns(by_size) == [by_size[0], by_size[2], by_size[4], by_size[1], by_size[3]]


def test_an_unknown_module_is_named() -> None:
    with pytest.raises(FileNotFoundError, match="nothing"):
        rules.rule_modules(["people.nothing"])


def _written(source: Source, mutant: Mutant) -> str:
    return ast.unparse(source.mutated(mutant.number))
