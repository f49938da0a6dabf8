"""Courses, their lessons, and who follows them."""

from typing import Any, Self

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import Exists, F, OuterRef, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from lms.validators import validate_materials, validate_price, validate_video_url
from project.common.images import random_name
from project.common.search import contains

DESCRIPTION_MAX_LENGTH = 20_000


def sees_all_content(user: Any) -> bool:
    """Moderators and administrators see everybody's courses, drafts too."""
    return bool(user.is_superuser or user.is_moderator)


class CourseQuerySet(models.QuerySet["Course"]):
    def visible_to(self, user: Any) -> Self:
        """Courses this person may see in authoring: their own; moderators: all."""
        if isinstance(user, AnonymousUser):
            return self.none()
        return self if sees_all_content(user) else self.filter(owner=user)

    def open_to_subscribers(self, user: Any) -> Self:
        """Courses this person may subscribe to: published ones, and those they see in authoring."""
        if sees_all_content(user):
            return self
        return self.filter(Q(is_published=True) | Q(owner=user))

    def matching(self, text: str) -> Self:
        """Courses with the text in their title or description, whatever the letter case."""
        return self.filter(contains(text, "title", "description"))

    def with_is_subscribed(self, user: Any) -> Self:
        subscription = Subscription.objects.filter(course_id=OuterRef("pk"), user_id=user.pk)
        return self.annotate(is_subscribed=Exists(subscription))

    def with_details(self, user: Any) -> Self:
        """All that a course shows to `user`, in a fixed number of queries."""
        return (
            self.with_is_subscribed(user)
            .select_related("owner")
            .prefetch_related(models.Prefetch("lessons", Lesson.objects.order_by("position", "id")))
        )


class Course(models.Model):
    """A course. A draft (`is_published` false) is seen by its owner and moderators only."""

    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        related_name="courses",
        verbose_name=_("author"),
    )
    title = models.CharField(_("title"), max_length=200, validators=[validate_materials])
    description = models.TextField(
        _("description"),
        blank=True,
        max_length=DESCRIPTION_MAX_LENGTH,
        validators=[validate_materials],
    )
    preview = models.ImageField(_("preview"), upload_to=random_name("courses"), blank=True)
    price = models.DecimalField(
        _("price"),
        max_digits=10,
        decimal_places=2,
        default=0,
        validators=[MinValueValidator(0), validate_price],
    )
    is_published = models.BooleanField(_("published"), default=False)
    created_at = models.DateTimeField(_("created"), default=timezone.now, editable=False)
    updated_at = models.DateTimeField(_("updated"), default=timezone.now, editable=False)
    # The last change of the materials that subscribers were or will be told of: the start of the
    # quiet period. Creating a course counts as its first update.
    materials_updated_at = models.DateTimeField(default=timezone.now, editable=False)

    objects = CourseQuerySet.as_manager()

    class Meta:
        verbose_name = _("course")
        verbose_name_plural = _("courses")
        ordering = ("-updated_at", "-id")
        constraints = [
            models.CheckConstraint(condition=~Q(title=""), name="course_title_not_empty"),
            models.CheckConstraint(condition=Q(price__gte=0), name="course_price_not_negative"),
        ]
        indexes = [
            models.Index(F("updated_at").desc(), F("id").desc(), name="course_updated"),
            models.Index(
                F("owner"), F("updated_at").desc(), F("id").desc(), name="course_owner_updated"
            ),
        ]

    def __str__(self) -> str:
        return self.title

    @property
    def currency(self) -> str:
        return str(settings.CURRENCY)


class LessonQuerySet(models.QuerySet["Lesson"]):
    def visible_to(self, user: Any) -> Self:
        """Lessons of the courses this person may see in authoring."""
        if isinstance(user, AnonymousUser):
            return self.none()
        return self if sees_all_content(user) else self.filter(course__owner=user)


class Lesson(models.Model):
    """A lesson. `price` None: not sold on its own; `is_preview`: open to all who see the course."""

    course = models.ForeignKey(
        Course, models.CASCADE, related_name="lessons", verbose_name=_("course")
    )
    title = models.CharField(_("title"), max_length=200, validators=[validate_materials])
    description = models.TextField(
        _("description"),
        blank=True,
        max_length=DESCRIPTION_MAX_LENGTH,
        validators=[validate_materials],
    )
    preview = models.ImageField(_("preview"), upload_to=random_name("lessons"), blank=True)
    video_url = models.URLField(
        _("video"), max_length=500, blank=True, validators=[validate_video_url]
    )
    price = models.DecimalField(
        _("price"),
        max_digits=10,
        decimal_places=2,
        null=True,
        blank=True,
        validators=[MinValueValidator(0), validate_price],
        help_text=_("Empty: not sold on its own."),
    )
    position = models.PositiveIntegerField(_("position"), default=0)
    is_preview = models.BooleanField(
        _("preview lesson"),
        default=False,
        help_text=_("Open to everyone who can see the course."),
    )
    created_at = models.DateTimeField(_("created"), default=timezone.now, editable=False)
    updated_at = models.DateTimeField(_("updated"), default=timezone.now, editable=False)

    objects = LessonQuerySet.as_manager()

    class Meta:
        verbose_name = _("lesson")
        verbose_name_plural = _("lessons")
        ordering = ("position", "id")
        constraints = [
            models.CheckConstraint(condition=~Q(title=""), name="lesson_title_not_empty"),
            models.CheckConstraint(
                condition=Q(price=None) | Q(price__gte=0), name="lesson_price_not_negative"
            ),
        ]
        indexes = [models.Index(fields=["course", "position", "id"], name="lesson_order")]

    def __str__(self) -> str:
        return self.title

    @property
    def currency(self) -> str:
        return str(settings.CURRENCY)


class SubscriptionQuerySet(models.QuerySet["Subscription"]):
    def visible_to(self, user: Any) -> Self:
        """This person's own subscriptions, to courses that they may (still) see."""
        return self.filter(user=user, course__in=Course.objects.open_to_subscribers(user))


class Subscription(models.Model):
    """A person who wants to hear of updates of a course."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.CASCADE,
        related_name="subscriptions",
        verbose_name=_("subscriber"),
    )
    course = models.ForeignKey(
        Course, models.CASCADE, related_name="subscriptions", verbose_name=_("course")
    )
    created_at = models.DateTimeField(_("since"), default=timezone.now, editable=False)

    objects = SubscriptionQuerySet.as_manager()

    class Meta:
        verbose_name = _("subscription")
        verbose_name_plural = _("subscriptions")
        ordering = ("-created_at", "-id")
        constraints = [
            models.UniqueConstraint(fields=["user", "course"], name="subscription_unique"),
        ]

    def __str__(self) -> str:
        return f"{self.user} → {self.course}"
