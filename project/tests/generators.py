"""Clients that Orval, kubb and openapi-generator make of our OpenAPI document have to compile under
TypeScript's `strict`:

    uv run python -m project.tests.generators

installs these generators into a folder that is removed afterwards (npm, and Java for the last), and
says of each what the compiler finds. What developers use more often is in the tests:
openapi-typescript and hey-api.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

PACKAGES = {
    "orval": ["orval@8.38.0"],
    "kubb": ["@kubb/cli@4.39.3", "@kubb/core@4.39.3"]
    + [f"@kubb/plugin-{name}@4.39.3" for name in ("oas", "ts", "client")],
    "typescript-fetch": [],
}
COMMANDS = {
    "orval": [
        "npx",
        "orval",
        "--input",
        "openapi.json",
        "--output",
        "orval/client.ts",
        "--client",
        "fetch",
    ],
    "kubb": ["npx", "kubb", "generate"],
    "typescript-fetch": [
        *("uvx", "--from", "openapi-generator-cli==7.26.0", "openapi-generator-cli", "generate"),
        *("-g", "typescript-fetch", "-i", "openapi.json", "-o", "typescript-fetch"),
    ],
}
KUBB = """
import { defineConfig } from "@kubb/core";
import { pluginClient } from "@kubb/plugin-client";
import { pluginOas } from "@kubb/plugin-oas";
import { pluginTs } from "@kubb/plugin-ts";

export default defineConfig({
  input: { path: "openapi.json" },
  output: { path: "kubb", extension: { ".ts": "" } },
  plugins: [pluginOas(), pluginTs(), pluginClient({ client: "fetch", bundle: true })],
});
"""
OPTIONS = {
    "strict": True,
    "noEmit": True,
    "skipLibCheck": True,
    "types": [],
    "target": "es2022",
    "module": "esnext",
    "moduleResolution": "bundler",
    "lib": ["es2022", "dom", "dom.iterable"],
}


def run(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def errors_of(folder: Path, name: str) -> list[str]:
    """What goes wrong when the client is generated and compiled."""
    made = run(folder, *COMMANDS[name])
    if made.returncode:
        return (made.stdout + made.stderr).splitlines()
    settings = {"compilerOptions": OPTIONS, "include": [f"{name}/**/*.ts"]}
    (folder / f"tsconfig.{name}.json").write_text(json.dumps(settings))
    compiled = run(folder, "npx", "tsc", "--project", f"tsconfig.{name}.json")
    return compiled.stdout.splitlines() if compiled.returncode else []


def main() -> None:
    with TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "package.json").write_text('{"private": true, "type": "module"}')
        (folder / "kubb.config.ts").write_text(KUBB)
        document = str(folder / "openapi.json")
        subprocess.run([sys.executable, "manage.py", "export_openapi", document], check=True)
        packages = [package for several in PACKAGES.values() for package in several]
        installed = run(
            folder, "npm", "install", "--no-audit", "--no-fund", "typescript@5.9", *packages
        )
        if installed.returncode:
            sys.exit(installed.stderr)
        failed = {name for name in COMMANDS if report(name, errors_of(folder, name))}
    sys.exit(f"Failed: {', '.join(sorted(failed))}" if failed else os.EX_OK)


def report(name: str, errors: list[str]) -> bool:
    sys.stdout.write(
        "\n".join([f"{name}: {'does not compile' if errors else 'compiles'}", *errors[:20], ""])
    )
    return bool(errors)


if __name__ == "__main__":
    main()
