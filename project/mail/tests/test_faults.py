"""The scripts that kill real workers, with few subscribers; `python -m bench.mail_faults` has more
of each. On the database that the tests run on."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings

pytestmark = pytest.mark.faults


@pytest.mark.parametrize("scenario", ["worker_killed", "cluster_killed"])
def test_who_is_killed_repeats_one_mail_at_most_and_loses_none(scenario):
    command = [sys.executable, "-m", "bench.mail_faults", "--subscribers", "60"]
    environment = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    if "DATABASE_URL" in os.environ:
        environment["DATABASE_URL"] = os.environ["DATABASE_URL"]
    run = subprocess.run(
        [*command, "--scenario", scenario],
        cwd=Path(settings.BASE_DIR),
        env=environment,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
