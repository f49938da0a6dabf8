"""The admin for who can't see, or can't use a mouse: axe finds nothing. With `--pictures FOLDER` on all pages
of all roles, light and dark, with a picture of each; otherwise on one of each kind."""

import json
from collections.abc import Callable, Iterator
from itertools import cycle, product
from typing import Any, Literal

import pytest
from playwright.sync_api import Page

from conftest import require_or_skip
from people.models import User
from project.tests.test_admin_urls import STAFF_ROLES, TABLE, address  # noqa: F401
from project.tests.test_docs_page import AXE

pytestmark = [
    pytest.mark.any_database,
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True),
]

SAMPLE = (
    "index", "security", "second_factor_set_up", "password_change", "lms_course_changelist", "lms_course_change",
    "lms_course_history", "lms_course_participants", "lms_course_put_back", "lms_course_delete", "lms_access_add",
    "people_user_change", "people_user_enrol", "people_user_write", "people_role_change", "people_user_changelist",
    "payments_payment_change", "payments_payment_add", "payments_payment_import_payments", "payments_payment_export",
    "payments_closedmonth_changelist", "payments_closedmonth_month", "django_q_failure_change", "mail_delivery_change",
    "school_school_change",
)  # fmt: skip
# Parts of pages, and what is no page.
PARTS = (
    "_row",
    "_forecast",
    "_authors",
    "_courses",
    "_lessons",
    "_people",
    "_payers",
    "_sums",
    "_letter",
    "_template",
)
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
# The bar with the buttons covers what people scroll to; axe does not scroll.
FAULTS = """async () => {
  document.getElementById("submit-row")?.style.setProperty("position", "static", "important");
  const { violations } = await axe.run({ rules: { "target-size": { enabled: true } } });
  const faults = violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(" ")}`);
  const mains = document.querySelectorAll("main, [role=main]").length;
  const headings = [...document.querySelectorAll("h1:not([role=none])")].filter((one) => one.checkVisibility()).length;
  return [...faults, ...(mains === 1 ? [] : [`${mains} mains`]), ...(headings === 1 ? [] : [`${headings} h1`])];
}"""


def visits(*, of_all: bool) -> Iterator[tuple[str, str, Literal["light", "dark"]]]:
    if of_all:
        pages = [
            name for name in TABLE if name not in {"search", "jsi18n"} and not name.endswith(PARTS)
        ]
        yield from (visit for visit in product(pages, STAFF_ROLES, SCHEMES) if may_see(*visit[:2]))
        return
    turns = cycle(product(STAFF_ROLES, SCHEMES))
    for name in SAMPLE:
        yield next((name, *turn) for turn in turns if may_see(name, turn[0]))


def may_see(name: str, role: str) -> bool:
    return TABLE[name][STAFF_ROLES.index(role)] == 200


def test_axe_finds_nothing_in_the_admin(
    page: Page,
    enter: Callable[[User], None],
    address: Callable[[str], str],  # noqa: F811
    pictures: Callable[[Page, str], None],
    request: pytest.FixtureRequest,
) -> None:
    require_or_skip(AXE.is_file(), f"npm packages in {AXE.parents[2]}")
    people = {role: request.getfixturevalue(role) for role in STAFF_ROLES}
    page.emulate_media(reduced_motion="reduce")
    faults: dict[str, Any] = {}
    for name, role, scheme in visits(of_all=request.config.getoption("--pictures")):
        enter(people[role])
        page.emulate_media(color_scheme=scheme)
        answer = page.goto(address(name))
        assert answer, name
        assert answer.ok, name
        page.evaluate(AXE.read_text())
        pictures(page, f"admin-{name.replace(':', '-')}-{role}-{scheme}")
        if found := page.evaluate(FAULTS):
            faults[f"{name} {role} {scheme}"] = found
    assert faults == {}, json.dumps(faults, indent=1, ensure_ascii=False)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_axe_finds_nothing_before_the_log_in(page: Page, scheme: Literal["light", "dark"]) -> None:
    require_or_skip(AXE.is_file(), f"npm packages in {AXE.parents[2]}")
    page.emulate_media(color_scheme=scheme)
    for path in ("/admin/login/", "/admin/password-reset/"):
        page.goto(path)
        page.evaluate(AXE.read_text())
        assert page.evaluate(FAULTS) == [], path
