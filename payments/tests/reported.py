"""`python -m payments.tests.reported`: what went wrong in other shops, tried here, and what came out.

A test that tries such a fault has the marker `reported`, with what was reported in a sentence. A new
one is a test with a marker.
"""

import sys
from collections import defaultdict

import pytest


class Outcomes:
    """Collects what came out, report by report."""

    def __init__(self) -> None:
        self.of_report: dict[str, list[str]] = defaultdict(list)
        self._report: dict[str, str] = {}

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        for item in items:
            if (marker := item.get_closest_marker("reported")) is not None:
                self._report[item.nodeid] = marker.args[0]

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call" or report.outcome != "passed":
            self.of_report[self._report[report.nodeid]].append(report.outcome)


def main() -> int:
    outcomes = Outcomes()
    arguments = ["payments", "-m", "reported", "-n0", "-q", "--no-header", *sys.argv[1:]]
    code = pytest.main(arguments, plugins=[outcomes])
    print()  # noqa: T201
    for report, results in sorted(outcomes.of_report.items()):
        bad = sum(result != "passed" for result in results)
        print(f"{'FAILED' if bad else 'holds':6}  {report} ({len(results)} tried)")  # noqa: T201
    return int(code)


if __name__ == "__main__":
    raise SystemExit(main())
