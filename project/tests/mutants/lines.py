"""A plugin of pytest that notes which test runs which lines of the modules of RULES, and how long
it takes; each process writes a file of its own into the folder MUTANTS_LINES."""

import gc
import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import CodeType
from typing import Any

import pytest

from project.tests.mutants.rules import file_of, is_cache, is_slow, rule_modules

TOOL = 4  # of those that sys.monitoring has, one that no debugger, profiler or coverage takes


class Lines:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.modules = {str(file_of(module)): module for module in rule_modules()}
        self.seen: set[tuple[str, int]] = set()
        self.tests: dict[str, dict[str, Any]] = {}

    @pytest.hookimpl(trylast=True)
    def pytest_collection_finish(self) -> None:
        gc.unfreeze()  # conftest.py hides from `gc` what is there
        # What is kept for the life of the process would be run by the first test only.
        self.caches = [one for one in gc.get_objects() if is_cache(one) and not is_slow(one)]
        monitoring = sys.monitoring
        monitoring.use_tool_id(TOOL, "mutants")
        monitoring.register_callback(TOOL, monitoring.events.PY_START, self.start)
        monitoring.register_callback(TOOL, monitoring.events.LINE, self.line)
        monitoring.set_events(TOOL, monitoring.events.PY_START)

    def start(self, code: CodeType, _offset: int) -> Any:
        if code.co_filename in self.modules:
            sys.monitoring.set_local_events(TOOL, code, sys.monitoring.events.LINE)
        return sys.monitoring.DISABLE

    def line(self, code: CodeType, number: int) -> Any:
        self.seen.add((self.modules[code.co_filename], number))
        return sys.monitoring.DISABLE

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        self.seen.clear()
        for cache in self.caches:
            cache.cache_clear()
        sys.monitoring.restart_events()
        began = time.monotonic()
        result = yield
        lines: dict[str, list[int]] = {}
        for module, number in sorted(self.seen):
            lines.setdefault(module, []).append(number)
        self.tests[item.nodeid] = {"seconds": time.monotonic() - began, "lines": lines}
        return result

    def pytest_sessionfinish(self) -> None:
        if self.tests:
            name = os.environ.get("PYTEST_XDIST_WORKER", "main")
            (self.folder / f"{name}.json").write_text(json.dumps(self.tests))


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(Lines(Path(os.environ["MUTANTS_LINES"])), "mutants-lines")
