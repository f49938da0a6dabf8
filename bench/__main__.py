"""Measures the application beside its limit and the usual way of building it.

`uv run --group bench python -m bench` measures everything on both databases, which takes an hour;
`--quick` gives a first impression in minutes, `--only "course list"` one job. PostgreSQL is taken
from DATABASE_URL, or on this machine. `python -m bench compare A B` compares two result files,
`python -m bench show FILE` prints one again, `python -m bench servers` compares web servers on
DATABASE_URL. Needs `wrk`.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from bench import further, results
from bench.comparison import compare
from bench.load import FailedRequests
from bench.targets import SHARES

POSTGRESQL = "postgres://postgres@127.0.0.1:5432/postgres"
OPERATIONS = [*SHARES, "log in", "subscribe"]
FURTHER = list(further.JOBS)


def main() -> int:
    match sys.argv[1:]:
        case ["compare", before, after]:
            lines = compare(results.read(Path(before)), results.read(Path(after)))
            sys.stdout.write("\n".join(lines) + "\n")
            return 0
        case ["servers"]:
            compare_servers()
            return 0
        case ["show", file]:
            sys.stdout.write(results.tables(results.read(Path(file))))
            return 0
    options = parse()
    if options.child:
        Path(options.child).write_text(json.dumps(measure(options)))
        return 0
    path = measure_all(options)
    sys.stdout.write(results.tables(results.read(path)) + f"\nWritten to {path}\n")
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


def measure_all(options: argparse.Namespace) -> Path:
    """Measure each group of jobs in a process and on a database of its own; return the file with
    the results, which grows as they come in."""
    chosen = ["sqlite", "postgresql"] if options.database == "both" else [options.database]
    server = os.environ.get("DATABASE_URL", "")
    urls = {
        "sqlite": "",
        "postgresql": server if server.startswith("postgres") else POSTGRESQL,
    }
    found: results.Results = {"environment": results.environment(), "databases": {}}
    path = Path(options.output) if options.output else results.default_path(found)
    with tempfile.TemporaryDirectory(prefix="parta-bench-") as folder:
        answer = Path(folder) / "answer.json"
        for database in chosen:
            measured: results.Results = {"operations": {}, "further": {}}
            found["databases"][database] = measured
            for names in groups(options.only):
                sys.stderr.write(f"— {database}: {', '.join(names)}\n")
                run_child(options, names, answer, urls[database])
                results.merge(measured, json.loads(answer.read_text()))
                results.write(found, path)
    return path


def groups(only: list[str]) -> list[list[str]]:
    """What shares the data set is measured in one process; each other job alone."""
    operations = [name for name in OPERATIONS if not only or name in only]
    jobs = {
        name: job
        for name, job in further.JOBS.items()
        if (name in only or not only) and job.is_there()
    }
    shared = [name for name, job in jobs.items() if job.needs_data_set]
    alone = [[name] for name, job in jobs.items() if not job.needs_data_set]
    return ([operations + shared] if operations + shared else []) + alone


def run_child(options: argparse.Namespace, names: list[str], answer: Path, url: str) -> None:
    chosen = [argument for name in names for argument in ("--only", name)]
    command = [sys.executable, "-m", "bench", "--child", str(answer), *chosen]
    command += ["--rounds", str(options.rounds), "--seconds", str(options.seconds)]
    subprocess.run(command, env=os.environ | {"DATABASE_URL": url}, check=True)


def compare_servers() -> None:
    from bench import data, servers  # noqa: PLC0415
    from bench.database import own_database  # noqa: PLC0415

    with own_database(ALLOWED_HOSTS="127.0.0.1", DJANGO_SETTINGS_MODULE="project.settings"):
        data.make_data_set()
        sys.stdout.write(f"{data.version()}\n")
        sys.stdout.write("\n".join(servers.table(servers.measure())) + "\n")


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """What was asked for, on the database of DATABASE_URL."""
    from bench import data, rounds  # noqa: PLC0415
    from bench.database import own_database  # noqa: PLC0415

    operations = [name for name in OPERATIONS if name in options.only]
    jobs = {name: job for name, job in further.JOBS.items() if name in options.only}
    with own_database(ALLOWED_HOSTS="127.0.0.1"):
        if operations or any(job.needs_data_set for job in jobs.values()):
            data.make_data_set()
        found: dict[str, Any] = {"version": data.version(), "size": data.SIZE}
        if operations:
            found["operations"] = rounds.measure(
                operations, rounds=options.rounds, seconds=options.seconds
            )
        found["further"] = {}
        for name, job in jobs.items():
            sys.stderr.write(f"{name}\n")
            try:
                found["further"][name] = job.measure()
            except FailedRequests as failure:
                sys.stderr.write(f"not measured: {failure}\n")
    return found


if __name__ == "__main__":
    sys.exit(main())
