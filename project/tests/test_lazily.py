"""What most processes never need is not loaded by them."""

import json
import sys
from pathlib import Path

import pytest

from project.common.lazily import load_lazily
from project.tests.processes import KEY, environment, run


def test_a_web_server_loads_the_sdk_of_stripe_when_it_speaks_to_stripe(tmp_path: Path) -> None:
    script = """
import json, sys
import project.wsgi
from django.urls import get_resolver
from payments.provider import asking
get_resolver().url_patterns
before = "stripe._stripe_client" in sys.modules
asking.client_of("sk_test_x", "http://127.0.0.1:1", (1.0, 1.0))
print(json.dumps([before, "stripe._stripe_client" in sys.modules]))
"""
    variables = environment(
        tmp_path, DJANGO_SETTINGS_MODULE="project.settings", SECRET_KEY=KEY, LOG_LEVEL="ERROR"
    )
    result = run([sys.executable, "-c", script], variables)
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout) == [False, True]


def test_a_library_that_is_not_installed_is_missed_at_once() -> None:
    with pytest.raises(ModuleNotFoundError):
        load_lazily("nothing_of_this_name")
