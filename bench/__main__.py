"""Measures the application beside its limit and the usual way of building it.

`uv run --group bench python -m bench` measures all operations on both databases, which takes half
an hour; `--quick` gives a first impression in minutes, `--only "course list"` one operation.
PostgreSQL is taken from DATABASE_URL, or on this machine. `python -m bench compare A B` compares
two result files, `python -m bench show FILE` prints one again. Needs `wrk`.
"""

import argparse
import multiprocessing
import os
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from bench import results, rounds
from bench.database import server_url


def main() -> None:
    match sys.argv[1:]:
        case ["compare", before, after]:
            lines = results.compare(results.read(Path(before)), results.read(Path(after)))
            sys.stdout.write("\n".join(lines) + "\n")
        case ["show", file]:
            sys.stdout.write(results.tables(results.read(Path(file))))
        case _:
            path = measure(parse())
            sys.stdout.write(results.tables(results.read(path)) + f"\nWritten to {path}\n")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--database", choices=["sqlite", "postgresql"], action="append")
    parser.add_argument("--only", action="append", choices=results.TARGETS)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=4, help="of a server in a round")
    parser.add_argument("--quick", action="store_true", help="two short rounds")
    parser.add_argument("--output", type=Path, help="the file for the results")
    options = parser.parse_args()
    if options.quick:
        options.rounds, options.seconds = 2, 2
    return options


def measure(options: argparse.Namespace) -> Path:
    """Measure each database in a process of its own; return the file with the results, which grows
    as they come in."""
    found: results.Results = {"environment": results.environment(), "databases": {}}
    path = options.output or results.default_path(found)
    urls = {"sqlite": "", "postgresql": server_url()}
    context = multiprocessing.get_context("spawn")
    for database in options.database or urls:
        sys.stderr.write(f"— {database}\n")
        os.environ["DATABASE_URL"] = urls[database]
        names = options.only or list(results.TARGETS)
        with ProcessPoolExecutor(1, context) as process:
            measuring = process.submit(rounds.measure, names, options.rounds, options.seconds)
            found["databases"][database] = measuring.result()
        results.write(found, path)
    return Path(path)


if __name__ == "__main__":
    main()
