"""Every screen of the front can be read and used: axe finds nothing, no text is of too little contrast, and
nothing is wider than the screen. In both languages, light and dark, on a phone and on a desk.

`--pictures FOLDER` keeps a picture of each: look at them.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.utils import timezone
from playwright.sync_api import Page, expect

from conftest import require_or_skip
from lms.models import Access, AccessSource, Completion, Course, Lesson
from lms.services import authoring
from lms.tests.factories import CourseFactory, LessonFactory, SubscriptionFactory
from payments.models import PaymentStatus
from payments.tests.factories import PaymentFactory
from people.models import User
from people.models.users import moderators_group
from people.tests.factories import UserFactory
from project.common.images import clean_image
from project.front.tests.conftest import Front
from project.front.tests.walking import picture
from project.school.services import update_school
from project.tests.test_docs_page import AXE

pytestmark = [
    pytest.mark.any_database,
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True),
]

FAULTS = (Path(__file__).parents[2] / "tests" / "page_faults.js").read_text()
VIOLATIONS = """axe.run().then(({violations}) =>
  violations.map(({id, nodes}) => `${id}: ${nodes.map(({html}) => html).join(" ")}`))"""
# Shown without a new start of the tab.
OPEN = (
    "path => { history.pushState(null, '', path); dispatchEvent(new PopStateEvent('popstate')); }"
)
UNFOLD = "for (const details of document.querySelectorAll('details')) details.open = true"
LONG = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft"
TEXT = f"""\
## What you need

Flour, *water* and [a video](https://youtu.be/dQw4w9WgXcQ). {LONG}

- 500 g of flour
- `water --temperature 24`

> Bread is patience.

```python
print("a line of code that is wider than the screen of any telephone, and has to be scrolled in its box")
```
"""


@pytest.fixture
def school(moderators: None) -> "PreparedSchool":
    return PreparedSchool()


class PreparedSchool:
    """Of everything something: long words, pictures, drafts, each state of a payment."""

    def __init__(self) -> None:
        update_school(
            changes={"name": "Oak School", "colour": "#ffdd00", "email": "desk@oak.example"}
        )
        self.author = UserFactory.create(first_name="Anna", email="anna@school.example")
        self.learner = UserFactory.create(
            first_name="Lev", email="lev@school.example", city="Kazan"
        )
        self.newcomer = UserFactory.create(first_name="", email_confirmed_at=None)
        self.moderator = UserFactory.create(first_name="Mira", email="mira@school.example")
        self.moderator.groups.add(moderators_group())
        self.bread = self.course("Bread", price=1990, description=TEXT)
        self.mine = self.course(f"Knives and {LONG}", price=0, description=TEXT)
        self.draft = self.course("Soups", is_published=False)
        self.lessons = list(self.mine.lessons.order_by("position"))
        Access.objects.create(user=self.learner, course=self.mine, source=AccessSource.ENROLLMENT)
        Completion.objects.create(user=self.learner, lesson=self.lessons[0])
        SubscriptionFactory.create(user=self.learner, course=self.mine)
        authoring.update_lesson(
            lesson=self.lessons[0], changes={"title": "Sharp"}, by=self.moderator
        )
        authoring.update_course(course=self.mine, changes={"description": "Short"}, by=self.author)
        self.payments = [
            PaymentFactory.create(
                payer=self.learner,
                course=self.draft,
                status=status,
                paid_at=timezone.now() if status in {"paid", "refunded"} else None,
            )
            for status in PaymentStatus.values
        ]

    def course(self, title: str, **fields: Any) -> Course:
        fields = {"is_published": True, "owner": self.author} | fields
        course: Course = CourseFactory.create(title=title, **fields)
        image = clean_image(ContentFile(picture("teal")["buffer"], name="teal.jpg"))
        authoring.set_preview(subject=course, picture=image)
        for place, name in enumerate(["Flour", f"Water {LONG}", "Salt"]):
            LessonFactory.create(
                course=course,
                title=name,
                position=place,
                description=TEXT,
                price=490 if place else None,
            )
        return course

    def screens(self) -> dict[str, tuple[User | None, list[str]]]:
        """By who looks at them."""
        bread, mine, draft, lesson = (
            one.pk for one in (self.bread, self.mine, self.draft, self.lessons[0])
        )
        locked: Lesson = self.bread.lessons.latest("position")
        return {
            "visitor": (
                None,
                [
                    "/", "/?search=nothing", f"/courses/{bread}", "/courses/9999", "/login", "/register",
                    "/password-reset", "/password-reset/x/y", "/email/x/y", "/reactivation", "/reactivation/x/y",
                    "/learn/a/b/c",
                ],
            ),
            "learner": (
                self.learner,
                [
                    "/", f"/courses/{bread}", f"/courses/{mine}", f"/courses/{draft}", "/learn", f"/learn/{mine}",
                    f"/learn/{mine}/{lesson}", f"/learn/{bread}/{locked.pk}", "/payments", "/subscriptions",
                    "/profile", "/people", f"/people/{self.author.pk}",
                    *[f"/payments/{payment.pk}" for payment in self.payments],
                ],
            ),
            "newcomer": (self.newcomer, ["/learn", "/payments", "/subscriptions", "/authoring"]),
            "author": (
                self.author,
                [
                    "/authoring", f"/authoring/{mine}", f"/authoring/{mine}/lessons/{lesson}",
                    f"/authoring/{mine}/lessons/new", f"/authoring/{mine}/people", f"/authoring/{mine}/history",
                ],
            ),
            "moderator": (self.moderator, ["/authoring", f"/authoring/{mine}"]),
        }  # fmt: skip


# axe takes longest, and looks at the last width only.
@pytest.mark.parametrize(
    ("language", "scheme", "widths"), [("en", "light", (390, 1440)), ("ru", "dark", (1440, 390))]
)
def test_every_screen_can_be_read_and_used(
    front: Front,
    page: Page,
    school: PreparedSchool,
    settings: Any,
    pictures: Callable[[Page, str], None],
    language: str,
    scheme: Any,
    widths: tuple[int, int],
) -> None:
    require_or_skip(AXE.is_file(), f"npm packages in {AXE.parents[2]}")
    settings.PUBLIC_CATALOG = True
    User.objects.update(language=language)
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    page.context.add_cookies(
        [{"name": settings.LANGUAGE_COOKIE_NAME, "value": language, "url": settings.FRONTEND_URL}]
    )
    faults: dict[str, Any] = {}
    for who, (person, addresses) in school.screens().items():
        if person:
            front.log_in(person)
        page.goto(addresses[0])
        page.evaluate(AXE.read_text())
        for address in addresses:
            page.evaluate(OPEN, address)
            expect(page.get_by_role("heading", level=1)).to_be_visible()
            page.evaluate(UNFOLD)
            expect(page.locator(".loading")).to_have_count(0)
            for width in widths:
                page.set_viewport_size({"width": width, "height": 844})
                name = f"{who}{address.replace('/', '-').partition('?')[0]}-{scheme}-{width}"
                pictures(page, f"front-{name}")
                if found := page.evaluate(FAULTS):
                    faults[name] = found
            if found := page.evaluate(VIOLATIONS):
                faults[f"{name}, axe"] = found
    assert faults == {}, json.dumps(faults, indent=1, ensure_ascii=False)
