"""See the package."""

import argparse
import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict
from operator import itemgetter
from pathlib import Path
from typing import Any

import pytest

from project.tests.mutants.mutations import Mutant, Source, own_links
from project.tests.mutants.planting import lines_that_name
from project.tests.mutants.rules import ROOT, file_of, reasons, rule_modules
from project.tests.mutants.trial import Trial

# Tests of other processes would not see what is planted into this one.
SELECTION = "not faults and not hosts and not browser"
TESTS_AT_MOST = 200


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m project.tests.mutants")
    parser.add_argument("modules", nargs="*", help="default: all that hold rules")
    parser.add_argument("--locks", action="store_true", help="only locks: needs PostgreSQL")
    parser.add_argument("--every", type=int, default=1, help="try each n-th mutant only")
    parser.add_argument(
        "--only", default="", help="only mutants of functions with this in the name"
    )
    parser.add_argument("--tests", nargs="*", default=[], help="default: the whole suite")
    parser.add_argument("--lines", type=Path, help="folder that keeps which test runs what")
    parser.add_argument("--processes", type=int, default=os.cpu_count())
    options = parser.parse_args()

    modules = rule_modules(options.modules)
    links = own_links([file_of(module) for module in rule_modules()])
    sources = {module: Source(module, file_of(module), links) for module in modules}
    mutants = [
        mutant
        for source in sources.values()
        for mutant in source.mutants()
        if mutant.is_lock == options.locks
        and options.only in mutant.function
        and (mutant.function or any(lines_that_name(mutant.name, sources)))
    ][:: options.every]
    print(f"{len(mutants)} mutants of {len(modules)} modules", flush=True)
    there = {mutant.key for source in sources.values() for mutant in source.mutants()}
    for key in reasons().keys() - there:
        if key[0] in sources:
            print(f"explained, but no fault any more: {key}")

    with tempfile.TemporaryDirectory() as temporary:
        folder = options.lines or Path(temporary, "lines")
        if not list(folder.glob("*.json")):
            _note_lines(folder, options.tests, options.processes)
        tests: dict[str, Any] = {}
        for file in folder.glob("*.json"):
            tests |= json.loads(file.read_text())
        results = Path(temporary, "results.jsonl")
        results.touch()
        cases = _cases(mutants, tests, sources)
        workers = [
            multiprocessing.Process(
                target=_work,
                args=(number, cases[number :: options.processes], tests, sources, results),
            )
            for number in range(options.processes)
        ]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        found = [json.loads(line) for line in results.read_text().splitlines()]
    if len(found) != len(mutants):
        print(f"only {len(found)} of {len(mutants)} were tried", file=sys.stderr)
        return 2
    return _report(found)


def _note_lines(folder: Path, tests: list[str], processes: int) -> None:
    """Run the tests once, and note which lines each of them runs."""
    folder.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "project.tests.mutants.lines"]
    command += ["-p", "no:randomly", f"-n{processes}", "-m", SELECTION, *tests]
    environment = os.environ | {"MUTANTS_LINES": str(folder)}
    subprocess.run(command, cwd=ROOT, env=environment, check=True)


def _cases(
    mutants: list[Mutant], tests: dict[str, Any], sources: dict[str, Source]
) -> list[tuple[Mutant, list[str]]]:
    """Each mutant with the tests that run its line: first those that run little else, and of tests
    with parameters one case of each before the others."""
    by_line: defaultdict[tuple[str, int], set[str]] = defaultdict(set)
    for test, facts in tests.items():
        for module, lines in facts["lines"].items():
            for line in lines:
                by_line[module, line].add(test)
    size = {
        test: (sum(map(len, facts["lines"].values())), facts["seconds"])
        for test, facts in tests.items()
    }
    cases = []
    for mutant in mutants:
        if mutant.function:
            first, last = mutant.lines
            places = [(mutant.module, line) for line in range(first, last + 1)]
        else:
            places = list(lines_that_name(mutant.name, sources))
        concerned = set().union(*(by_line[place] for place in places))
        by_size = sorted(concerned, key=size.__getitem__)
        cases.append((mutant, in_turns(by_size)[:TESTS_AT_MOST]))
    return cases


def in_turns(tests: list[str]) -> list[str]:
    turns: Counter[str] = Counter()
    numbered = []
    for test in tests:
        name = test.partition("[")[0]
        numbered.append((turns[name], test))
        turns[name] += 1
    return [test for _turn, test in sorted(numbered, key=itemgetter(0))]


def _work(
    number: int,
    cases: list[tuple[Mutant, list[str]]],
    tests: dict[str, Any],
    sources: dict[str, Source],
    results: Path,
) -> None:
    # As pytest-xdist names its processes, so that each has a database of its own.
    os.environ["PYTEST_XDIST_WORKER"] = f"gw{number}"
    sys.stdout = open(os.devnull, "w")  # noqa: PTH123, SIM115
    wanted = sorted({test.split("::")[0] for _mutant, names in cases for test in names})
    seconds = {test: facts["seconds"] for test, facts in tests.items()}
    trial = Trial(cases, seconds, sources, results)
    arguments = ["-q", "-s", "-p", "no:randomly", "-m", SELECTION]
    pytest.main([*arguments, *wanted], plugins=[trial])


def _report(found: list[dict[str, Any]]) -> int:
    """Print what survived, and how many of each module were noticed. Returns the exit code."""
    explained = reasons()
    counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for one in found:
        mutant = Mutant(**{name: one[name] for name in Mutant.__dataclass_fields__})
        noticed = one["status"].startswith("noticed")
        reason = explained.get(mutant.key)
        kind = "noticed" if noticed else "explained" if reason else "left"
        counts[mutant.module][kind] += 1
        if kind == "left":
            print(f"line {mutant.lines[0]}: {one['status']}")
            print(f"    {json.dumps([*mutant.key, ''], ensure_ascii=False)},")
        elif noticed and reason:
            print(f"\nnoticed after all: {mutant.key}")
    print()
    for module, count in [*sorted(counts.items()), ("in all", sum(counts.values(), Counter()))]:
        total = count.total()
        share = count["noticed"] / total
        print(
            f"{module:40} {count['noticed']:4} of {total:4} {share:5.0%}"
            f"   explained {count['explained']}, left {count['left']}"
        )
    return 1 if any(count["left"] for count in counts.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
