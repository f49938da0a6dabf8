"""Figures of large tables are counted from time to time, and not by who looks at them."""

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from lms.tests.factories import CourseFactory
from project.admin_site import figures
from project.admin_site.models import Figure
from project.admin_site.tasks import count_figures

pytestmark = pytest.mark.django_db


@pytest.fixture
def drafts(desk, administrator):
    """What the dashboard says at the moment of the number of drafts."""

    def read():
        panels = desk(administrator).get(reverse("admin:index")).context["panels"]
        [figure] = [entry for panel in panels for entry in panel.figures if entry.title == "Drafts"]
        return figure.value

    return read


def age(*, took, **by):
    counted_at = timezone.now() - timedelta(**by)
    Figure.objects.update(counted_at=counted_at, seconds=took)


@pytest.mark.parametrize(
    ("by", "took", "expected"),
    [
        ({"seconds": 30}, 0.001, 0),
        ({"seconds": 90}, 0.001, 1),
        ({"seconds": 90}, 2.0, 0),
        ({"minutes": 30}, 2.0, 0),
        ({"minutes": 90}, 2.0, 1),
    ],
    ids=["fresh", "quick to count", "slow to count", "the worker's turn", "there is no worker"],
)
def test_what_is_slow_to_count_is_left_to_the_worker(drafts, by, took, expected):
    assert drafts() == 0
    CourseFactory.create()
    age(took=took, **by)
    assert drafts() == expected


def test_worker_counts_what_is_slow(drafts):
    assert drafts() == 0
    CourseFactory.create()
    age(took=2.0, minutes=5)
    number = Figure.objects.count()
    assert count_figures() == f"{number} figures"
    assert drafts() == 1


def test_worker_leaves_alone_what_is_quick_and_what_is_unknown(drafts):
    drafts()
    age(took=0.001, minutes=5)
    Figure.objects.create(name="of an older version", value=1, counted_at=timezone.now(), seconds=9)
    assert count_figures() == "0 figures"


def test_each_panel_s_figures_survive_json(desk, administrator):
    for _time in range(2):  # as they were counted, and as they were kept
        assert desk(administrator).get(reverse("admin:index")).status_code == 200
    assert set(Figure.objects.values_list("name", flat=True)) == set(figures.COUNTERS)
