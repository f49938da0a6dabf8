"""See the package."""

import argparse
import os
import tempfile
from importlib import import_module
from pathlib import Path

import django

NAMES = sorted(
    {path.stem for path in Path(__file__).parent.glob("[a-z]*.py")}
    - {"clusters", "measuring", "servers"}
)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m project.tests.drills")
    parser.add_argument("name", choices=NAMES)
    name = parser.parse_args().name
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
    django.setup()
    with tempfile.TemporaryDirectory() as folder:
        import_module(f"project.tests.drills.{name}").run(Path(folder))


if __name__ == "__main__":
    main()
