"""Courses and their lessons."""

from typing import Self

from django.conf import settings
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import Count, Exists, F, OuterRef, Q, Subquery
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from lms.models.access import Access, Completion
from lms.models.fields import VideoField
from lms.models.materials import (
    DERIVED_FIELDS,
    SEARCHED_FIELDS,
    ChangesOfMaterials,
    Material,
    State,
    StateOfCourse,
)
from lms.models.subscriptions import Subscription
from lms.models.visibility import MaterialQuerySet, published_or_own, sees_all_content
from lms.validators import validate_price
from people.models import User
from project.common.db.counting import number_of
from project.common.db.search import contains
from project.common.db.searched import SearchedField
from project.common.images import random_name
from project.common.money import DECIMAL_PLACES, MAX_DIGITS

LAST_POSITION = 2**31 - 1


class CourseQuerySet(MaterialQuerySet["Course"]):
    """Who sees which courses by which method is a table in `lms/models/visibility.py`."""

    owner = "owner"

    def open_to_subscribers(self, user: User) -> Self:
        """Courses this person may subscribe to: published ones, and those they see in authoring."""
        return self.filter(published_or_own(user))

    def published(self) -> Self:
        return self.filter(is_published=True)

    def open_to(self, user: User) -> Self:
        """Courses this person may learn as a whole: own ones, and by a right; moderators: all."""
        if sees_all_content(user):
            return self
        own = Course.objects.filter(owner=user).order_by().values("pk")
        by_right = Access.objects.held_by(user).filter(course__isnull=False)
        # An OR of the two would have PostgreSQL look at every course.
        return self.filter(pk__in=own.union(by_right.order_by().values("course_id"), all=True))

    def open_in_part_to(self, user: User) -> Self:
        """Courses of which this person may learn something: those that are open to them as a whole,
        and those of single lessons they have a right to. A preview lesson is no right."""
        if sees_all_content(user):
            return self
        single = Access.objects.held_by(user).filter(lesson__isnull=False).order_by()
        whole = Course.objects.open_to(user).order_by().values("pk")
        return self.filter(pk__in=whole.union(single.values("lesson__course_id"), all=True))

    def not_hidden_from(self, user: User) -> Self:
        """Courses whose existence this person may know of: published and own ones, and those they
        have a right in, also when the course is a draft again."""
        if sees_all_content(user):
            return self
        return self.filter(
            published_or_own(user) | Q(pk__in=Course.objects.open_in_part_to(user).values("pk"))
        )

    def with_is_open_in_part(self, user: User) -> Self:
        opened = Course.objects.open_in_part_to(user).filter(pk=OuterRef("pk"))
        return self.annotate(is_open_in_part=Exists(opened))

    def with_progress(self, user: User) -> Self:
        """Answer of the published lessons `lessons_total`, `lessons_completed` by this person, and
        `next_lesson_id`: the first they have not completed and may learn, None if there is none."""
        completions = Completion.objects.filter(user_id=user.pk)
        done = completions.filter(lesson_id=OuterRef("pk"))
        lessons = Lesson.objects.published().filter(course_id=OuterRef("pk"))
        left = lessons.open_to(user).filter(~Exists(done))
        finished = completions.filter(lesson__course_id=OuterRef("pk"), lesson__is_published=True)
        return self.annotate(
            lessons_total=number_of(lessons),
            lessons_completed=number_of(finished),
            next_lesson_id=Subquery(left.order_by("position", "pk").values("pk")[:1]),
        )

    def with_lessons_count(self) -> Self:
        """Answer `lessons_count`: of all lessons, as in authoring."""
        lessons = Lesson.objects.filter(course_id=OuterRef("pk"))
        return self.annotate(lessons_count=number_of(lessons))

    def with_published_count(self) -> Self:
        """Answer `lessons_count`: of the published lessons, as learners see it."""
        lessons = Lesson.objects.published().filter(course_id=OuterRef("pk"))
        return self.annotate(lessons_count=number_of(lessons))

    def with_people_counts(self) -> Self:
        """Answer `subscribers_count` and `learners_count` (who may learn the whole course)."""
        of_course = {"course_id": OuterRef("pk")}
        return self.annotate(
            subscribers_count=number_of(Subscription.objects.filter(**of_course)),
            learners_count=number_of(Access.objects.active().filter(**of_course), each="user_id"),
        )

    def with_completion(self) -> Self:
        """Answer `completions_count`: published lessons finished by those who may learn the whole
        course. With all finished by all learners it is `lessons_count` × `learners_count`."""
        holder = Access.objects.active().filter(
            user=OuterRef("user"), course=OuterRef("lesson__course")
        )
        finished = Completion.objects.filter(
            Exists(holder), lesson__course=OuterRef("pk"), lesson__is_published=True
        )
        counted = self.with_published_count().with_people_counts()
        return counted.annotate(completions_count=number_of(finished))

    def by_subscribers(self) -> Self:
        """Courses that somebody follows, the most followed first, with `subscribers_count`."""
        counted = self.annotate(subscribers_count=Count("subscriptions"))
        return counted.filter(subscribers_count__gt=0).order_by("-subscribers_count", "-id")

    def with_catalog_details(self, user: User) -> Self:
        """All that the catalog shows of a course, lessons apart."""
        return (
            self.with_is_subscribed(user)
            .with_has_access(user)
            .with_published_count()
            .select_related("owner")
        )

    def free(self, *, is_free: bool) -> Self:
        return self.filter(price=0) if is_free else self.filter(price__gt=0)

    def in_order(self, ordering: str) -> Self:
        """Order by a field (`-` for descending), equal values by id in the same direction."""
        return self.order_by(ordering, "-id" if ordering.startswith("-") else "id")

    def matching(self, text: str) -> Self:
        """Courses with each word of the text in their title, description or author's name."""
        return self.filter(contains(text, "searched"))

    def on_sale_to(self, user: User) -> Self:
        """Courses this person may ask to buy: published ones. Their own drafts are among them, so
        that an owner hears that there is nothing to buy, and not that there is nothing."""
        return self.filter(Q(is_published=True) | Q(owner=user))

    def protected_from_deletion(self) -> Self:
        """Lock the courses so that nobody deletes them until the transaction ends. Whatever begins to
        refer to a course or its lessons does this first, or a deletion at the same moment makes
        one of the two fail; a deletion locks the course, too."""
        return self.select_for_update(of=("self",), no_key=True)

    def with_is_subscribed(self, user: User) -> Self:
        subscription = Subscription.objects.filter(course_id=OuterRef("pk"), user_id=user.pk)
        return self.annotate(is_subscribed=Exists(subscription))


class Course(Material):
    """A course. A draft (`is_published` false) is seen by its owner and moderators only."""

    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        db_index=False,  # course_owner_updated begins with it
        related_name="courses",
        verbose_name=_("author"),
    )
    preview = models.ImageField(_("preview picture"), upload_to=random_name("courses"), blank=True)
    price = models.DecimalField(
        _("price"),
        max_digits=MAX_DIGITS,
        decimal_places=DECIMAL_PLACES,
        default=0,
        validators=[MinValueValidator(0), validate_price],
        help_text=_("With 0 the course is free."),
    )
    is_published = models.BooleanField(_("published"), default=False)
    searched = SearchedField(of=(*SEARCHED_FIELDS, "author_name"))
    # The last change of the materials that subscribers were or will be told of: the start of the
    # quiet period. Creating a course counts as its first update.
    materials_updated_at = models.DateTimeField(default=timezone.now, editable=False)

    objects = CourseQuerySet.as_manager()
    history = ChangesOfMaterials(
        verbose_name=_("change of a course"),
        verbose_name_plural=_("changes of courses"),
        bases=[StateOfCourse],
        excluded_fields=[
            "created_at",
            "updated_at",
            "materials_updated_at",
            *DERIVED_FIELDS,
        ],
    )

    class Meta(Material.Meta):
        verbose_name = _("course")
        verbose_name_plural = _("courses")
        ordering = ("-updated_at", "-id")
        constraints = [
            *Material.Meta.constraints,
            models.CheckConstraint(condition=Q(price__gte=0), name="course_price_not_negative"),
        ]
        indexes = [
            models.Index(F("updated_at").desc(), F("id").desc(), name="course_updated"),
            models.Index(
                F("owner"), F("updated_at").desc(), F("id").desc(), name="course_owner_updated"
            ),
            models.Index(
                F("is_published"),
                F("updated_at").desc(),
                F("id").desc(),
                name="course_published_updated",
            ),
            # Orders that lists offer; read backwards for descending.
            models.Index(fields=["title", "id"], name="course_title"),
            models.Index(fields=["created_at", "id"], name="course_created"),
            models.Index(fields=["price", "id"], name="course_price"),
        ]

    @property
    def author_name(self) -> str:
        """What everybody may know of it."""
        return self.owner.first_name


def _open_to(user: User) -> Q:
    """Which lessons somebody who is no moderator may learn."""
    rights = Access.objects.held_by(user)
    by_course = Exists(rights.filter(course_id=OuterRef("course_id")))
    as_preview = Q(is_preview=True, course__is_published=True)
    return (
        Q(course__owner=user)
        | Q(is_published=True) & (as_preview | by_course)
        | Exists(rights.filter(lesson_id=OuterRef("pk")))
    )


class LessonQuerySet(MaterialQuerySet["Lesson"]):
    owner = "course__owner"

    def published(self) -> Self:
        return self.filter(is_published=True)

    def not_hidden_from(self, user: User) -> Self:
        """Lessons whose existence this person may know of: published ones of published courses, those
        of own courses, and those they may learn by a right, also when the course is a draft again."""
        if sees_all_content(user):
            return self
        published = Q(is_published=True, course__is_published=True)
        return self.filter(published | _open_to(user))

    def outlined_for(self, user: User) -> Self:
        """What the outline of a course that this person learns consists of: the published lessons, and
        the drafts that they may learn."""
        if sees_all_content(user):
            return self
        return self.filter(Q(is_published=True) | _open_to(user))

    def open_to(self, user: User) -> Self:
        """Lessons this person may learn: those of own courses; by a right to the lesson; and published
        ones by a right to the course, or as preview lessons of published courses. Moderators: all."""
        return self if sees_all_content(user) else self.filter(_open_to(user))

    def on_sale_to(self, user: User) -> Self:
        """Lessons this person may ask to buy in courses that are on sale to them."""
        return self.filter(Q(is_published=True) | Q(course__owner=user))

    def with_number(self) -> Self:
        """Answer `number`: which lesson of its course it is, from 1."""
        course = Lesson.objects.filter(course_id=OuterRef("course_id"))
        same = Q(position=OuterRef("position"), pk__lte=OuterRef("pk"))
        until = course.filter(Q(position__lt=OuterRef("position")) | same)
        return self.annotate(number=number_of(until))

    def with_neighbours(self, user: User) -> Self:
        """Answer `previous_lesson_id` and `next_lesson_id`: the nearest lessons of the course, in its
        order, that this person may learn; None at an end."""
        around = Lesson.objects.open_to(user).filter(course_id=OuterRef("course_id"))
        here = Q(position=OuterRef("position"))
        before = around.filter(
            Q(position__lt=OuterRef("position")) | here & Q(pk__lt=OuterRef("pk"))
        )
        after = around.filter(
            Q(position__gt=OuterRef("position")) | here & Q(pk__gt=OuterRef("pk"))
        )
        return self.annotate(
            previous_lesson_id=Subquery(before.order_by("-position", "-pk").values("pk")[:1]),
            next_lesson_id=Subquery(after.order_by("position", "pk").values("pk")[:1]),
        )

    def with_is_completed(self, user: User) -> Self:
        completion = Completion.objects.filter(lesson_id=OuterRef("pk"), user_id=user.pk)
        return self.annotate(is_completed=Exists(completion))


class Lesson(Material):
    """A lesson. `price` None: not sold on its own; `is_preview`: open to all who see the course. A draft
    (`is_published` false) is there for its author, moderators, and who has a right to it alone."""

    course = models.ForeignKey(
        Course,
        models.CASCADE,
        db_index=False,  # lesson_in_order begins with it
        related_name="lessons",
        verbose_name=_("course"),
    )
    preview = models.ImageField(_("preview picture"), upload_to=random_name("lessons"), blank=True)
    video_url = VideoField(_("video"), max_length=500, blank=True)
    price = models.DecimalField(
        _("price"),
        max_digits=MAX_DIGITS,
        decimal_places=DECIMAL_PLACES,
        null=True,
        blank=True,
        validators=[MinValueValidator(0), validate_price],
        help_text=_("Leave it empty if the lesson is not sold on its own."),
    )
    position = models.PositiveIntegerField(_("position"), default=0)
    is_preview = models.BooleanField(
        _("open to everybody"),
        default=False,
        help_text=_("Whoever sees the course may take this lesson without having bought anything."),
    )
    is_published = models.BooleanField(
        _("published"),
        default=True,
        db_default=True,
        help_text=_(
            "Otherwise it is a draft: learners don't see it, unless they bought it on its own."
        ),
    )

    objects = LessonQuerySet.as_manager()
    history = ChangesOfMaterials(
        verbose_name=_("change of a lesson"),
        verbose_name_plural=_("changes of lessons"),
        bases=[State],
        excluded_fields=["created_at", "updated_at", *DERIVED_FIELDS],
    )

    class Meta(Material.Meta):
        verbose_name = _("lesson")
        verbose_name_plural = _("lessons")
        ordering = ("position", "id")
        constraints = [
            *Material.Meta.constraints,
            models.CheckConstraint(
                condition=Q(price=None) | Q(price__gte=0), name="lesson_price_not_negative"
            ),
            # SQLite, which checks such a constraint row by row, is left without it.
            models.UniqueConstraint(
                fields=["course", "position"],
                name="lesson_position_unique",
                deferrable=models.Deferrable.DEFERRED,
            ),
        ]
        indexes = [
            # The last column is for counting the published ones.
            models.Index(
                fields=["course", "position", "id", "is_published"], name="lesson_in_order"
            ),
            # The staff's list: the last changed first, all of them, the previews or the drafts.
            models.Index(fields=["-updated_at", "-id"], name="lesson_updated"),
            models.Index(
                fields=["is_preview", "-updated_at", "-id"], name="lesson_preview_updated"
            ),
            models.Index(
                fields=["-updated_at", "-id"],
                condition=Q(is_published=False),
                name="lesson_draft_updated",
            ),
            models.Index(fields=["title", "id"], name="lesson_title"),
            models.Index(fields=["price", "id"], name="lesson_price"),
        ]
