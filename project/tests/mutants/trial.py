"""A plugin of pytest that runs no test itself: for each mutant it forks, plants it, and runs the
tests that concern it until one fails."""

import json
import os
import signal
import sys
import traceback
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connections

from project.tests.mutants.mutations import Mutant
from project.tests.mutants.planting import Functions

NOTICED, SURVIVED, BROKEN = 0, 1, 2
# A test that takes longer than this, and five times longer than usual, hangs.
PATIENCE = 60


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

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        items = {item.nodeid: item for item in session.items}
        first = next(item for item in session.items if "db" in getattr(item, "fixturenames", ()))
        # The database is made once, before the first fork.
        first.ihook.pytest_runtest_protocol(item=first, nextitem=first)
        functions = Functions(self.sources)
        with self.results.open("a") as file:
            for mutant, tests in self.cases:
                known = [items[test] for test in tests if test in items]
                status = self._try(mutant, known, functions)
                print(json.dumps({**asdict(mutant), "status": status}), file=file, flush=True)
        return True

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.has_failed |= report.failed

    def _try(self, mutant: Mutant, tests: list[pytest.Item], functions: Functions) -> str:
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

    def _outcome(self, mutant: Mutant, tests: list[pytest.Item], functions: Functions) -> int:
        try:
            usual = sum(self.seconds.get(test.nodeid, 1) for test in tests)
            signal.alarm(PATIENCE + int(5 * usual))
            with open(os.devnull, "w") as nowhere:  # noqa: PTH123
                os.dup2(nowhere.fileno(), 1)
            functions.plant(mutant)
            for number, test in enumerate(tests):
                following = tests[number + 1] if number + 1 < len(tests) else test
                test.ihook.pytest_runtest_protocol(item=test, nextitem=following)
                if self.has_failed:
                    return NOTICED
        except BaseException:  # noqa: BLE001 - a child never goes back to its parent's loop
            traceback.print_exc(file=sys.stderr)
            return BROKEN
        return SURVIVED
