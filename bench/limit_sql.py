"""The statements of the limit: written for PostgreSQL, translated once for SQLite."""

import re
from types import SimpleNamespace


def _for_sqlite(statement: str) -> str:
    statement = re.sub(r"= ANY\(%s\)", "IN (SELECT value FROM json_each(?))", statement)
    found = "c.id IN (SELECT rowid FROM lms_course_searched WHERE searched MATCH ?)"
    statement = statement.replace("c.searched LIKE %s", found)
    # Times are kept as text there; only as a mere column would Django's connection convert them.
    moment = r"\b([a-z]+\.(?:[a-z]+_at|last_login|date_joined))(?=,|\s+FROM)"
    statement = re.sub(moment, r"replace(\1,' ','T')||'Z'", statement)
    statement = statement.replace("now()", "strftime('%Y-%m-%d %H:%M:%f', 'now')")
    return statement.replace("%s", "?")


MODERATES = """EXISTS (SELECT 1 FROM people_user_groups m JOIN auth_group g ON g.id = m.group_id
WHERE m.user_id = u.id AND g.name = 'moderators')"""
LESSON_COLUMNS = """l.id, l.course_id, l.title, l.summary, l.preview, l.video_url, l.price,
l.position, l.is_preview, l.is_published, l.created_at, l.updated_at, c.owner_id
FROM lms_lesson l JOIN lms_course c ON c.id = l.course_id"""
COURSE_COLUMNS = """c.id, c.title, c.summary, c.preview, c.price, c.is_published, c.owner_id,
u.first_name, EXISTS (SELECT 1 FROM lms_subscription s WHERE s.course_id = c.id AND s.user_id = %s),
c.created_at, c.updated_at"""
OWNED = "FROM lms_course c JOIN people_user u ON u.id = c.owner_id"
NEWEST = "ORDER BY c.updated_at DESC, c.id DESC LIMIT %s OFFSET %s"
FOUND = "c.is_published AND c.searched LIKE %s"
HELD = """FROM lms_access a LEFT JOIN lms_course c ON c.id = a.course_id
LEFT JOIN lms_lesson l ON l.id = a.lesson_id LEFT JOIN lms_course d ON d.id = l.course_id
WHERE a.user_id = %s AND a.revoked_at IS NULL AND NOT EXISTS (SELECT 1 FROM lms_access b
    WHERE b.user_id = a.user_id AND b.revoked_at IS NULL AND (b.course_id = l.course_id
        OR b.id < a.id AND (b.course_id = a.course_id OR b.lesson_id = a.lesson_id)))"""
FOLLOWED = """FROM lms_subscription s JOIN lms_course c ON c.id = s.course_id
WHERE s.user_id = %s AND (c.is_published OR c.owner_id = %s)"""
DONE = """FROM lms_lesson l
LEFT JOIN lms_completion x ON x.lesson_id = l.id AND x.user_id = %s"""
BESIDE = """(SELECT p.id FROM lms_lesson p WHERE p.course_id = l.course_id
AND p.is_published AND (p.position, p.id) {0} (l.position, l.id) ORDER BY p.position {1}, p.id {1} LIMIT 1)"""
OPEN = "SELECT 1 FROM lms_access a WHERE a.user_id = %s AND a.revoked_at IS NULL AND "
WHOLE = "NOT (p.method = 'stripe' AND p.status = 'pending' AND p.session_id = '')"
SQL = {
    "user": f"""SELECT u.id, u.is_superuser, {MODERATES} FROM people_user u
        WHERE u.id = %s AND u.token_version = %s AND u.is_active
        AND EXISTS (SELECT 1 FROM people_tokenfamily f WHERE f.id = %s AND f.user_id = u.id)""",
    "count_courses": "SELECT count(*) FROM lms_course",
    "count_own_courses": "SELECT count(*) FROM lms_course WHERE owner_id = %s",
    "courses": f"SELECT {COURSE_COLUMNS} {OWNED} {NEWEST}",
    "own_courses": f"SELECT {COURSE_COLUMNS} {OWNED} WHERE c.owner_id = %s {NEWEST}",
    "course": f"""SELECT {COURSE_COLUMNS}, c.description, c.description_html
        {OWNED} WHERE c.id = %s""",
    "lessons_of": f"""SELECT {LESSON_COLUMNS} WHERE l.course_id = ANY(%s)
        ORDER BY l.course_id, l.position, l.id""",
    "lessons_of_one": f"""SELECT {LESSON_COLUMNS} WHERE l.course_id = %s
        ORDER BY l.position, l.id LIMIT %s OFFSET %s""",
    "count_lessons_of_one": """SELECT count(*), min(c.owner_id) FROM lms_lesson l
        JOIN lms_course c ON c.id = l.course_id WHERE l.course_id = %s""",
    "catalog": f"""SELECT c.id, c.title, c.summary, c.preview, c.price, c.owner_id,
        u.first_name, (SELECT count(*) FROM lms_lesson l WHERE l.course_id = c.id AND l.is_published),
        EXISTS (SELECT 1 FROM lms_subscription s WHERE s.course_id = c.id AND s.user_id = %s),
        EXISTS (SELECT 1 FROM lms_access a WHERE a.course_id = c.id AND a.user_id = %s
                AND a.revoked_at IS NULL), c.updated_at
{OWNED} WHERE {FOUND} {NEWEST}""",
    "count_catalog": f"SELECT count(*) FROM lms_course c WHERE {FOUND}",
    "payments": """SELECT p.id, p.payer_id, p.course_id, p.lesson_id, p.title, p.amount, p.currency,
        p.method, p.status, p.session_url, p.session_expires_at > now(), p.created_at, p.paid_at
FROM payments_payment p WHERE {conditions} ORDER BY {order} LIMIT %s OFFSET %s""",
    "count_payments": "SELECT count(*) FROM payments_payment p WHERE {conditions}",
    "rights": f"""SELECT a.course_id, a.lesson_id, coalesce(c.title, l.title),
        coalesce(c.summary, l.summary), coalesce(c.preview, l.preview), d.id, d.title, EXISTS (SELECT 1 FROM lms_completion x
            WHERE x.lesson_id = a.lesson_id AND x.user_id = a.user_id), a.created_at
{HELD} ORDER BY a.id DESC LIMIT %s OFFSET %s""",
    "count_rights": f"SELECT count(*) {HELD}",
    "done_in": f"""SELECT l.course_id, l.id, x.id IS NOT NULL {DONE} WHERE l.course_id = ANY(%s) AND l.is_published
        ORDER BY l.course_id, l.position, l.id""",
    "learnt_course": f"""SELECT c.id, c.title, c.summary, c.preview FROM lms_course c
        WHERE EXISTS ({OPEN} a.course_id = c.id) AND c.id = %s""",
    "outline": f"""SELECT l.id, l.title, l.position, l.preview, l.is_preview, l.is_published,
        x.id IS NOT NULL {DONE} WHERE l.course_id = %s AND l.is_published ORDER BY l.position, l.id""",
    "learnt_lesson": f"""SELECT l.id, l.course_id, (SELECT title FROM lms_course WHERE
            id = l.course_id), l.title, l.summary, l.preview, l.video_url, l.position,
        l.is_preview, l.is_published, x.id IS NOT NULL, {BESIDE.format("<", "DESC")}, {BESIDE.format(">", "ASC")},
        l.updated_at, l.description, l.description_html
{DONE} WHERE EXISTS ({OPEN} (a.course_id = l.course_id AND l.is_published OR a.lesson_id = l.id)) AND l.id = %s""",
    "profile": """SELECT u.id, u.email, u.first_name, u.last_name, u.phone, u.city, u.avatar,
        u.language, u.date_joined, u.last_login
FROM people_user u WHERE u.id = %s""",
    "subscriptions": f"""SELECT s.course_id, c.title, s.created_at
{FOLLOWED} ORDER BY s.created_at DESC, s.id DESC LIMIT %s OFFSET %s""",
    "count_subscriptions": f"SELECT count(*) {FOLLOWED}",
}
FOR_POSTGRESQL = SimpleNamespace(**SQL)
FOR_SQLITE = SimpleNamespace(**{name: _for_sqlite(text) for name, text in SQL.items()})
ORDERS = {
    "-paid_at": "p.paid_at IS NULL, p.paid_at DESC, p.id DESC",
    "paid_at": "p.paid_at IS NULL, p.paid_at, p.id",
    "-amount": "p.amount DESC, p.id DESC",
    "amount": "p.amount, p.id",
    "-created_at": "p.created_at DESC, p.id DESC",
}
