"""The usual way: the measured operations in Django REST Framework with model serializers, on the
same models, with the same prefetching and annotations. As its tutorials and most projects do it;
nothing in it is slower than it has to be."""

from typing import Any

from django.db.models import Prefetch
from django.urls import include, path
from rest_framework import mixins, pagination, serializers, viewsets
from rest_framework.permissions import IsAuthenticated
from rest_framework.renderers import JSONRenderer
from rest_framework.response import Response
from rest_framework.routers import DefaultRouter
from rest_framework_simplejwt.authentication import JWTAuthentication
from rest_framework_simplejwt.exceptions import AuthenticationFailed
from rest_framework_simplejwt.tokens import Token

from lms import permissions
from lms.models import Course, Lesson
from payments.models import Payment
from people.models import User
from project.common.db.search import contains


class Authentication(JWTAuthentication):
    """One query, as in the application: the account with its rights."""

    def get_user(self, validated_token: Token) -> Any:
        users = User.objects.with_is_moderator().active()
        user = users.filter(
            pk=validated_token["user_id"], token_version=validated_token["version"]
        ).first()
        if user is None:
            raise AuthenticationFailed
        return user


class Pagination(pagination.PageNumberPagination):
    page_size = 10
    page_size_query_param = "page_size"
    max_page_size = 100

    def get_paginated_response(self, data: Any) -> Response:
        return Response(
            {
                "items": data,
                "count": self.page.paginator.count,
                "page": self.page.number,
                "page_size": self.page.paginator.per_page,
                "pages": self.page.paginator.num_pages,
            }
        )


class RelativeImageField(serializers.ImageField):
    def to_representation(self, value: Any) -> str | None:
        return value.url if value else None


class BlankAsNull(serializers.CharField):
    def to_representation(self, value: Any) -> str | None:
        return str(value) or None


class OwnerSerializer(serializers.ModelSerializer):
    first_name = BlankAsNull()

    class Meta:
        model = User
        fields = ["id", "first_name"]


class LessonSerializer(serializers.ModelSerializer):
    preview = RelativeImageField()
    video_url = BlankAsNull()
    currency = serializers.CharField()
    abilities = serializers.SerializerMethodField()

    class Meta:
        model = Lesson
        fields = [
            "id", "course_id", "title", "description", "preview", "video_url", "price", "currency",
            "position", "is_preview", "abilities", "created_at", "updated_at",
        ]  # fmt: skip

    def get_abilities(self, lesson: Lesson) -> dict[str, bool]:
        return permissions.lesson_abilities(self.context["request"].user, lesson)


class CourseSerializer(serializers.ModelSerializer):
    preview = RelativeImageField()
    currency = serializers.CharField()
    owner = OwnerSerializer()
    lessons_count = serializers.SerializerMethodField()
    lessons = LessonSerializer(many=True)
    is_subscribed = serializers.BooleanField()
    abilities = serializers.SerializerMethodField()

    class Meta:
        model = Course
        fields = [
            "id", "title", "description", "preview", "price", "currency", "is_published", "owner",
            "lessons_count", "lessons", "is_subscribed", "abilities", "created_at", "updated_at",
        ]  # fmt: skip

    def get_lessons_count(self, course: Course) -> int:
        return len(course.lessons.all())

    def get_abilities(self, course: Course) -> dict[str, bool]:
        return permissions.course_abilities(self.context["request"].user, course)


class CatalogSerializer(serializers.ModelSerializer):
    preview = RelativeImageField()
    currency = serializers.CharField()
    owner = OwnerSerializer()
    lessons_count = serializers.IntegerField()
    is_subscribed = serializers.BooleanField()
    has_access = serializers.BooleanField()

    class Meta:
        model = Course
        fields = [
            "id", "title", "description", "preview", "price", "currency", "owner", "lessons_count",
            "is_subscribed", "has_access", "updated_at",
        ]  # fmt: skip


class PaymentSerializer(serializers.ModelSerializer):
    user_id = serializers.IntegerField(source="payer_id")
    payment_url = serializers.CharField()

    class Meta:
        model = Payment
        fields = [
            "id", "user_id", "course_id", "lesson_id", "title", "amount", "currency", "method",
            "status", "payment_url", "created_at", "paid_at",
        ]  # fmt: skip


class View(viewsets.GenericViewSet):
    authentication_classes = [Authentication]
    permission_classes = [IsAuthenticated]
    renderer_classes = [JSONRenderer]
    pagination_class = Pagination


class Courses(mixins.ListModelMixin, mixins.RetrieveModelMixin, View):
    serializer_class = CourseSerializer

    def get_queryset(self) -> Any:
        user = self.request.user
        courses = Course.objects.visible_to(user).with_is_subscribed(user).select_related("owner")
        lessons = Prefetch("lessons", Lesson.objects.order_by("position", "id"))
        return courses.prefetch_related(lessons).order_by("-updated_at", "-id")


class Lessons(mixins.ListModelMixin, View):
    serializer_class = LessonSerializer

    def get_queryset(self) -> Any:
        lessons = Lesson.objects.visible_to(self.request.user).select_related("course")
        if course_id := self.request.query_params.get("course_id"):
            lessons = lessons.filter(course_id=course_id)
        return lessons.order_by("course_id", "position", "id")


class Catalog(mixins.ListModelMixin, View):
    serializer_class = CatalogSerializer

    def get_queryset(self) -> Any:
        courses = Course.objects.published()
        if text := self.request.query_params.get("search"):
            courses = courses.filter(contains(text, "title", "description"))
        return courses.with_catalog_details(self.request.user).order_by("-updated_at", "-id")


class Payments(mixins.ListModelMixin, View):
    serializer_class = PaymentSerializer

    def get_queryset(self) -> Any:
        payments = Payment.objects.visible_to(self.request.user)
        for name in ("method", "status"):
            if value := self.request.query_params.get(name):
                payments = payments.filter(**{name: value})
        return payments.in_order(self.request.query_params.get("ordering", "-paid_at"))


router = DefaultRouter(trailing_slash=False)
router.register("courses", Courses, "course")
router.register("lessons", Lessons, "lesson")
router.register("catalog/courses", Catalog, "catalog")
router.register("payments", Payments, "payment")
urlpatterns = [path("api/v1/", include(router.urls))]
