"""A plugin of pytest that runs no test itself: for each mutant it forks, plants it, and runs the
tests that concern it until one fails."""

import json
import os
import signal
import sys
import traceback
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.core.management import call_command
from django.db import connections

from project.tests.mutants.mutations import Mutant
from project.tests.mutants.planting import Functions

NOTICED, SURVIVED, BROKEN = 0, 1, 2
# A test that takes longer than this, and five times longer than usual, hangs.
PATIENCE = 60
# So many tests are tried without a fault before the trial begins.
SAMPLE = 100


class _After:
    """Stands for the test that comes next: all of the last one is torn down, its module too, and
    only the database stays."""

    def __init__(self, session: pytest.Session) -> None:
        self.session = session

    def listchain(self) -> list[pytest.Session]:
        return [self.session]


class Trial:
    """`cases` are mutants, each with the tests that concern it, the most telling one first."""

    def __init__(
        self,
        cases: list[tuple[Mutant, list[str]]],
        seconds: dict[str, float],
        sources: dict[str, Any],
        results: Path,
    ) -> None:
        self.cases, self.seconds, self.sources, self.results = cases, seconds, sources, results
        self.has_failed = False
        self.reason = ""

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        items = {item.nodeid: item for item in session.items}
        self.after = _After(session)
        # The database is made once, before the first fork.
        for first in [item for item in session.items if "db" in getattr(item, "fixturenames", ())][
            :1
        ]:
            self._run(first)
        # What a command imports when it runs is there, too.
        for module in self.sources:
            import_module(module)
        functions = Functions(self.sources)
        self._check_that_tests_pass(items)
        with self.results.open("a") as file:
            for mutant, tests in self.cases:
                known = [items[test] for test in tests if test in items]
                status = self._try(mutant, known, functions)
                print(json.dumps({**asdict(mutant), "status": status}), file=file, flush=True)
        return True

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self.has_failed = True
            self.reason = report.longreprtext

    def _run(self, test: pytest.Item) -> None:
        following: Any = self.after
        test.ihook.pytest_runtest_protocol(item=test, nextitem=following)

    def _check_that_tests_pass(self, items: dict[str, pytest.Item]) -> None:
        """What fails without a fault would seem to notice each one."""
        first_tests = sorted({tests[0] for _mutant, tests in self.cases if tests} & set(items))
        for name in first_tests[:: len(first_tests) // SAMPLE + 1]:
            if self._try(None, [items[name]], None) != "survived":
                print(f"{name} fails without a fault", file=sys.stderr)
                pytest.exit(name)

    def _try(
        self, mutant: Mutant | None, tests: list[pytest.Item], functions: Functions | None
    ) -> str:
        if not tests:
            return "no test runs it"
        connections.close_all()
        child = os.fork()
        if child == 0:
            os._exit(self._outcome(mutant, tests, functions))
        _child, status = os.waitpid(child, 0)
        if os.WIFSIGNALED(status):
            with connections["default"].cursor():
                call_command("flush", verbosity=0, interactive=False)
            return "noticed: it hangs"
        return {NOTICED: "noticed", SURVIVED: "survived"}.get(os.WEXITSTATUS(status), "broken")

    def _outcome(
        self, mutant: Mutant | None, tests: list[pytest.Item], functions: Functions | None
    ) -> int:
        try:
            usual = sum(self.seconds.get(test.nodeid, 1) for test in tests)
            signal.alarm(PATIENCE + int(5 * usual))
            with open(os.devnull, "w") as nowhere:  # noqa: PTH123
                os.dup2(nowhere.fileno(), 1)
            # A test that emptied the tables has let `migrate` give them new ids.
            apps.get_model("contenttypes.ContentType").objects.clear_cache()
            if mutant is not None and functions is not None:
                try:
                    functions.plant(mutant)
                except LookupError:
                    return BROKEN
                except Exception:  # noqa: BLE001 - the module could not be imported
                    return NOTICED
            for test in tests:
                self._run(test)
                if self.has_failed:
                    if mutant is None:
                        print(self.reason, file=sys.stderr)
                    return NOTICED
        except BaseException:  # noqa: BLE001 - a child never goes back to its parent's loop
            traceback.print_exc(file=sys.stderr)
            return BROKEN
        return SURVIVED
