"""Measures the application beside its limit and the usual way of building it.

`uv run --group bench python -m bench` measures everything on both databases, which takes an hour;
`--quick` gives a first impression in minutes, `--only "course list"` one job. PostgreSQL is taken
from DATABASE_URL, or on this machine. `python -m bench compare A B` compares two result files.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from bench import results
from bench.comparison import compare
from bench.targets import SHARES, verdicts

POSTGRESQL = "postgres://postgres@127.0.0.1:5432/postgres"
OPERATIONS = [*SHARES, "log in", "subscribe"]
FURTHER: list[str] = []


def main() -> int:
    if sys.argv[1:2] == ["compare"]:
        before, after = (results.read(Path(name)) for name in sys.argv[2:4])
        sys.stdout.write("\n".join(compare(before, after)) + "\n")
        return 0
    options = parse()
    if options.child:
        Path(options.child).write_text(json.dumps(measure(options)))
        return 0
    found = results_of_all(options)
    path = Path(options.output) if options.output else results.default_path(found)
    results.write(found, path)
    sys.stdout.write(results.tables(found))
    missed = 0
    for database, measured in found["databases"].items():
        sys.stdout.write(f"\nTargets, {database}\n")
        for verdict in verdicts(measured):
            sys.stdout.write(f"{verdict}\n")
            missed += not verdict.is_reached
    sys.stdout.write(f"\n{missed} missed. Written to {path}\n")
    return 0


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--database", choices=["sqlite", "postgresql", "both"], default="both")
    parser.add_argument("--only", action="append", default=[], choices=[*OPERATIONS, *FURTHER])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=4, help="of a server in a round")
    parser.add_argument("--quick", action="store_true", help="two short rounds, no further jobs")
    parser.add_argument("--output", help="the file for the results")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.quick:
        options.rounds, options.seconds = 2, 2
        options.only = options.only or OPERATIONS
    return options


def results_of_all(options: argparse.Namespace) -> results.Results:
    """Measure each database in a process of its own: Django is set up once only."""
    chosen = ["sqlite", "postgresql"] if options.database == "both" else [options.database]
    server = os.environ.get("DATABASE_URL", "")
    urls = {
        "sqlite": "",
        "postgresql": server if server.startswith("postgres") else POSTGRESQL,
    }
    found: results.Results = {"environment": results.environment(), "databases": {}}
    with tempfile.TemporaryDirectory(prefix="parta-bench-") as folder:
        for database in chosen:
            sys.stderr.write(f"— {database}\n")
            answer = Path(folder) / f"{database}.json"
            command = [sys.executable, "-m", "bench", *sys.argv[1:], "--child", str(answer)]
            subprocess.run(command, env=os.environ | {"DATABASE_URL": urls[database]}, check=True)
            found["databases"][database] = json.loads(answer.read_text())
    return found


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Everything that was asked for, on the database of DATABASE_URL."""
    from bench import data, rounds  # noqa: PLC0415
    from bench.database import own_database  # noqa: PLC0415

    with own_database(ALLOWED_HOSTS="127.0.0.1"):
        data.make_data_set()
        found: dict[str, Any] = {"version": data.version(), "size": data.SIZE}
        chosen = [name for name in OPERATIONS if not options.only or name in options.only]
        if chosen:
            found["operations"] = rounds.measure(
                chosen, rounds=options.rounds, seconds=options.seconds
            )
    return found


if __name__ == "__main__":
    sys.exit(main())
