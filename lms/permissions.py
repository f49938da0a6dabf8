"""The policy of courses and lessons: who may do what to what they can see
(docs/rules.md, 1).

Seeing is `lms/models/visibility.py`. The API, `abilities` in its answers and the admin ask here.
"""

from lms.models import Course, Lesson
from lms.models.visibility import sees_all_content
from people.models import User


def can_create_course(user: User) -> bool:
    """Everyone may become an author, except moderators: they look after others' materials."""
    return user.is_superuser or not user.is_moderator


def can_update_course(user: User, course: Course) -> bool:
    return course.owner_id == user.pk or sees_all_content(user)


def can_copy_course(user: User, course: Course) -> bool:
    """Whoever copies a course has all that is in it, and becomes the author of the copy."""
    return can_create_course(user) and can_update_course(user, course)


def can_change_owner(user: User) -> bool:
    """Give a course to another author; not its author, whom somebody could press."""
    return user.is_superuser


def can_delete_course(user: User, course: Course) -> bool:
    """Moderators delete nothing, not even what they own."""
    return user.is_superuser or (course.owner_id == user.pk and not user.is_moderator)


def can_add_lesson(user: User, course: Course) -> bool:
    """Lessons are added to one's own course; administrators add to any."""
    return can_delete_course(user, course)


def can_update_lesson(user: User, lesson: Lesson) -> bool:
    return can_update_course(user, lesson.course)


def can_delete_lesson(user: User, lesson: Lesson) -> bool:
    return can_delete_course(user, lesson.course)


def course_abilities(user: User, course: Course) -> dict[str, bool]:
    return {
        "update": can_update_course(user, course),
        "delete": can_delete_course(user, course),
        "add_lesson": can_add_lesson(user, course),
        "copy": can_copy_course(user, course),
    }


def lesson_abilities(user: User, lesson: Lesson) -> dict[str, bool]:
    return {
        "update": can_update_lesson(user, lesson),
        "delete": can_delete_lesson(user, lesson),
    }


def can_see_accesses(user: User) -> bool:
    """Look through who may learn what, in the admin; moderators look after materials only."""
    return user.has_perm("lms.view_access")


def can_grant_access(user: User) -> bool:
    """Let somebody learn something without a payment."""
    return user.has_perm("lms.add_access")


def can_enrol(user: User, course: Course) -> bool:
    """Give the people of a list access to a course whose learners one sees."""
    return can_grant_access(user) and can_update_course(user, course)


def can_revoke_access(user: User) -> bool:
    return can_see_accesses(user) and user.has_perm("lms.change_access")
