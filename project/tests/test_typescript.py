"""What generators make of the OpenAPI document compiles under TypeScript's `strict`, and its
validators take whatever the API answers. The same tools check the document itself.

`npm ci --ignore-scripts` in project/tests/typescript/ installs them; CI must have them.
"""

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from django.core.management import call_command
from django.db import transaction

from conftest import require_or_skip
from project.common.api.openapi import response_of
from project.common.api.problems import CONTENT_TYPE
from project.tests.documented import Answer
from project.tests.test_openapi import DOCUMENT, OPERATIONS
from project.tests.test_permission_table import TABLE, World, call

pytestmark = pytest.mark.any_database

FOLDER = Path(__file__).parent / "typescript"
SOURCES = ("openapi-ts.config.mjs", "redocly.yaml", "sample.ts", "tsconfig.json", "validate.mjs")
# What a person does first, so that there is something of their own afterwards.
BEGINNINGS = (
    "subscribe_to_course",
    "enroll_in_course",
    "complete_lesson",
    "create_payment",
    "set_avatar",
)
# Only Stripe can sign an event.
REFUSED = {"receive_stripe_event"}


@pytest.fixture
def folder(tmp_path):
    """A folder with the tools, the sample and our document."""
    require_or_skip((FOLDER / "node_modules").is_dir(), f"npm packages in {FOLDER}")
    (tmp_path / "node_modules").symlink_to(FOLDER / "node_modules")
    for name in SOURCES:
        shutil.copy(FOLDER / name, tmp_path)
    call_command("export_openapi", tmp_path / "openapi.json")
    return tmp_path


def start(folder: Path, tool: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [f"node_modules/.bin/{tool}", *arguments],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process: subprocess.Popen[str]) -> str:
    output, errors = process.communicate(timeout=240)
    assert process.returncode == 0, output + errors
    return output


def test_redocly_finds_nothing_in_the_document(folder):
    checked = json.loads(finish(start(folder, "redocly", "lint", "openapi.json", "--format=json")))
    assert checked["problems"] == []


def test_generated_clients_compile_and_their_validators_take_every_answer(folder, answers):
    makers = [
        start(folder, "openapi-typescript", "openapi.json", "--output", "schema.d.ts"),
        start(folder, "openapi-ts"),
    ]
    for maker in makers:
        finish(maker)
    finish(start(folder, "tsc"))
    (folder / "answers.json").write_text(json.dumps(answers))
    validated = ["node", "validate.mjs", "answers.json"]
    printed = subprocess.run(validated, cwd=folder, capture_output=True, text=True, check=True)
    assert printed.stdout == ""


@pytest.fixture
def answers(api, author, learner, moderator, stranger):
    """The answers to a learner who is new, to the same one later, to an author and to a moderator,
    who call all operations. That each is as documented, its code too, is looked at as in any test."""
    people = {"author": author, "learner": learner, "moderator": moderator, "stranger": stranger}
    recorded = [
        answer
        for role in people
        for answer in walk(World(role, people), api(people[role]), is_new=role == "stranger")
    ]
    assert {one["operation"] for one in recorded} == OPERATIONS.keys()
    succeeded = {answer["operation"] for answer in recorded if answer["status"] < 300}
    assert succeeded == OPERATIONS.keys() - REFUSED
    return recorded


def walk(world: World, client, *, is_new: bool):
    """Call each row of the permission table once, and undo it."""
    if not is_new:
        for operation in BEGINNINGS:
            row = next(row for row in TABLE if row.operation == operation)
            call(client, *row.request(world))
    for row in TABLE:
        with transaction.atomic():
            response = call(client, *row.request(world))
            transaction.set_rollback(True)
        request = response.wsgi_request
        answer = Answer.of(request.method, request.path_info, response)
        yield {
            "operation": row.operation,
            "status": answer.status,
            "validator": validator_of(row.operation, answer.status),
            "body": json.loads(answer.content) if answer.content else None,
        }


def validator_of(name: str, status: int) -> str:
    """What hey-api calls the validator of an answer."""
    if status < 300:
        return f"z{''.join(word.capitalize() for word in name.split('_'))}Response"
    response = response_of(DOCUMENT, OPERATIONS[name], status)
    return f"z{response['content'][CONTENT_TYPE]['schema']['$ref'].rpartition('/')[2]}"
