"""A client generated from the OpenAPI document compiles under TypeScript's strictest rules."""

import shutil
import subprocess
from pathlib import Path

import pytest
from django.core.management import call_command

from conftest import require_or_skip

FOLDER = Path(__file__).parent / "typescript"


@pytest.fixture
def client_folder(tmp_path):
    """The sample with its packages, as the lock file pins them, and the types of our document."""
    require_or_skip(shutil.which("npm"), "Node")
    for name in ("package.json", "package-lock.json", "tsconfig.json", "sample.ts"):
        shutil.copy(FOLDER / name, tmp_path)
    installed = run(tmp_path, "ci", "--no-audit", "--no-fund", "--prefer-offline")
    require_or_skip(installed.returncode == 0, f"npm registry:\n{installed.stderr}")
    call_command("export_openapi", tmp_path / "openapi.json")
    generated = run(tmp_path, "run", "generate")
    assert generated.returncode == 0, generated.stdout + generated.stderr
    return tmp_path


def run(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["npm", *command], cwd=folder, capture_output=True, text=True, timeout=240, check=False
    )


def test_the_sample_compiles_with_the_generated_types(client_folder):
    checked = run(client_folder, "run", "check")
    assert checked.returncode == 0, checked.stdout
