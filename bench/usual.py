"""The usual way: the measured operations in Django REST Framework with model serializers, on the
same models, with the same prefetching and annotations. As its tutorials and most projects do it;
nothing in it is slower than it has to be."""

from typing import Any

from django.conf import settings
from django.db.models import ImageField, Model, Prefetch
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
from lms.models import Access, Course, Lesson, Subscription
from lms.videos import video_at
from payments.models import Payment
from people.models import User
from project.common.db.search import contains
from project.common.images import stored_picture

OF_VIDEO = ("provider", "id", "start", "embed_url")


class Authentication(JWTAuthentication):
    """One query, as in the application: the account with its rights."""

    def get_user(self, validated_token: Token) -> Any:
        users = User.objects.with_is_moderator().active()
        user = users.filter(
            pk=validated_token["user_id"],
            token_version=validated_token["version"],
            token_families=validated_token["family"],
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


DETAILS = " description description_html"


def shows(model: type[Model], fields: str) -> Any:
    return type("Meta", (), {"model": model, "fields": fields.split()})


class PictureField(serializers.ImageField):
    def to_representation(self, value: Any) -> Any:
        stored = stored_picture(value.name or "")
        if stored is None:
            return None
        names = {"url": value.name, "thumbnail": stored.thumbnail}
        shown = {key: settings.SITE_URL + value.storage.url(name) for key, name in names.items()}
        return shown | {"width": stored.width, "height": stored.height}


class BlankAsNull(serializers.CharField):
    def to_representation(self, value: Any) -> str | None:
        return str(value) or None


class Serializer(serializers.ModelSerializer):
    """Pictures by their address; what the queryset has annotated, as it is."""

    serializer_field_mapping = serializers.ModelSerializer.serializer_field_mapping | {
        ImageField: PictureField
    }

    def build_unknown_field(self, field_name: str, model_class: Any) -> Any:
        return serializers.ReadOnlyField, {}


class OwnerSerializer(Serializer):
    first_name = BlankAsNull()

    Meta = shows(User, "id first_name")


class VideoSerializer(Serializer):
    video_url = BlankAsNull()
    video = serializers.SerializerMethodField()

    def get_video(self, lesson: Lesson) -> Any:
        video = video_at(lesson.video_url)
        return video and {name: getattr(video, name) for name in OF_VIDEO}


class LessonSerializer(VideoSerializer):
    abilities = serializers.SerializerMethodField()

    Meta = shows(
        Lesson,
        "id course_id title summary preview video_url video price currency position is_preview "
        "is_published abilities created_at updated_at",
    )

    def get_abilities(self, lesson: Lesson) -> dict[str, bool]:
        return permissions.lesson_abilities(self.context["request"].user, lesson)


class CourseSerializer(Serializer):
    owner = OwnerSerializer()
    lessons_count = serializers.SerializerMethodField()
    lessons = LessonSerializer(many=True)
    abilities = serializers.SerializerMethodField()

    Meta = shows(
        Course,
        "id title summary preview price currency is_published owner lessons_count "
        "lessons is_subscribed abilities created_at updated_at",
    )

    def get_lessons_count(self, course: Course) -> int:
        return len(course.lessons.all())

    def get_abilities(self, course: Course) -> dict[str, bool]:
        return permissions.course_abilities(self.context["request"].user, course)


class CourseDetailsSerializer(CourseSerializer):
    Meta = shows(Course, " ".join(CourseSerializer.Meta.fields) + DETAILS)


class CatalogSerializer(Serializer):
    owner = OwnerSerializer()

    Meta = shows(
        Course,
        "id title summary preview price currency owner lessons_count is_subscribed "
        "has_access updated_at",
    )


class PaymentSerializer(Serializer):
    user_id = serializers.IntegerField(source="payer_id")

    Meta = shows(
        Payment,
        "id user_id course_id lesson_id title amount currency method status payment_url "
        "created_at paid_at",
    )


class CourseNameSerializer(Serializer):
    Meta = shows(Course, "id title")


def progress_of(lessons: Any) -> dict[str, Any]:
    """Of lessons in order, with `is_completed`."""
    left = [one.pk for one in lessons if not one.is_completed]
    completed, total = len(lessons) - len(left), len(lessons)
    progress = {"completed": completed, "total": total, "percent": 100 * completed // (total or 1)}
    return {"progress": progress, "next_lesson_id": left[0] if left else None}


class RightSerializer(Serializer):
    title = serializers.CharField(source="target.title")
    summary = serializers.CharField(source="target.summary")
    preview = PictureField(source="target.preview")
    course = serializers.SerializerMethodField()
    since = serializers.DateTimeField(source="created_at")

    Meta = shows(Access, "course_id lesson_id title summary preview course since")

    def get_course(self, right: Access) -> Any:
        course = right.lesson.course if right.lesson else right.course
        return CourseNameSerializer(course).data

    def to_representation(self, right: Any) -> Any:
        lessons = right.course.lessons.all() if right.course else [right.lesson]
        if right.lesson:
            right.lesson.is_completed = right.is_completed
        return super().to_representation(right) | progress_of(lessons)


class OutlineSerializer(Serializer):
    Meta = shows(
        Lesson, "id title position preview is_preview is_published has_access is_completed"
    )


class LearningCourseSerializer(Serializer):
    lessons = OutlineSerializer(many=True)

    Meta = shows(Course, "id title summary preview lessons")

    def to_representation(self, course: Any) -> Any:
        published = [lesson for lesson in course.lessons.all() if lesson.is_published]
        return super().to_representation(course) | progress_of(published)


class LearningLessonSerializer(VideoSerializer):
    course = CourseNameSerializer()

    Meta = shows(
        Lesson,
        "id course_id course title summary preview video_url video position is_preview "
        "is_published is_completed previous_lesson_id next_lesson_id updated_at" + DETAILS,
    )


class ProfileSerializer(Serializer):
    first_name, last_name, phone, city = (BlankAsNull() for _name in range(4))
    payments = serializers.SerializerMethodField()
    payments_count = serializers.SerializerMethodField()

    Meta = shows(
        User,
        "id email first_name last_name phone city avatar language date_joined last_login "
        "is_moderator payments payments_count",
    )

    def get_payments(self, user: User) -> Any:
        return PaymentSerializer(user.payments.whole().newest_first()[:20], many=True).data

    def get_payments_count(self, user: User) -> int:
        return int(user.payments.whole().count())


class SubscriptionSerializer(Serializer):
    title = serializers.CharField(source="course.title")
    since = serializers.DateTimeField(source="created_at")

    Meta = shows(Subscription, "course_id title since")


class View(viewsets.GenericViewSet):
    authentication_classes = [Authentication]
    permission_classes = [IsAuthenticated]
    renderer_classes = [JSONRenderer]
    pagination_class = Pagination


class Courses(mixins.ListModelMixin, mixins.RetrieveModelMixin, View):
    def get_serializer_class(self) -> Any:
        return CourseSerializer if self.action == "list" else CourseDetailsSerializer

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
            courses = courses.filter(contains(text, "searched"))
        return courses.with_catalog_details(self.request.user).order_by("-updated_at", "-id")


class Payments(mixins.ListModelMixin, View):
    serializer_class = PaymentSerializer

    def get_queryset(self) -> Any:
        payments = Payment.objects.visible_to(self.request.user)
        for name in ("method", "status"):
            if value := self.request.query_params.get(name):
                payments = payments.filter(**{name: value})
        return payments.in_order(self.request.query_params.get("ordering", "-paid_at"))


class Learning(mixins.ListModelMixin, mixins.RetrieveModelMixin, View):
    def get_serializer_class(self) -> Any:
        return RightSerializer if self.action == "list" else LearningCourseSerializer

    def get_queryset(self) -> Any:
        user = self.request.user
        lessons = Lesson.objects.with_is_completed(user).order_by("position", "id")
        if self.action == "list":
            rights = Access.objects.held_by(user).one_for_each_target().with_is_completed()
            rights = rights.select_related("course", "lesson__course").order_by("-id")
            return rights.prefetch_related(Prefetch("course__lessons", lessons.published()))
        outline = Prefetch("lessons", lessons.outlined_for(user).with_has_access(user))
        return Course.objects.open_in_part_to(user).prefetch_related(outline)


class LearningLessons(mixins.RetrieveModelMixin, View):
    serializer_class = LearningLessonSerializer

    def get_queryset(self) -> Any:
        user = self.request.user
        lessons = Lesson.objects.open_to(user).with_is_completed(user).with_neighbours(user)
        return lessons.select_related("course")


class Profile(mixins.RetrieveModelMixin, View):
    serializer_class = ProfileSerializer

    def get_object(self) -> Any:
        return self.request.user


class Subscriptions(mixins.ListModelMixin, View):
    serializer_class = SubscriptionSerializer

    def get_queryset(self) -> Any:
        followed = Subscription.objects.visible_to(self.request.user)
        return followed.select_related("course").order_by("-created_at", "-id")


router = DefaultRouter(trailing_slash=False)
for prefix, view in {
    "courses": Courses,
    "lessons": Lessons,
    "catalog/courses": Catalog,
    "payments": Payments,
    "learning/courses": Learning,
    "learning/lessons": LearningLessons,
    "subscriptions": Subscriptions,
}.items():
    router.register(prefix, view, prefix.replace("/", "-"))
urlpatterns = [
    path("api/v1/users/me", Profile.as_view({"get": "retrieve"})),
    path("api/v1/", include(router.urls)),
]
