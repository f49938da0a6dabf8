"""The statements of the limit: written for PostgreSQL, translated once for SQLite."""

import re
from types import SimpleNamespace


def _for_sqlite(statement: str) -> str:
    statement = re.sub(r"= ANY\(%s\)", "IN (SELECT value FROM json_each(?))", statement)
    statement = re.sub(r"([\w.]+) ILIKE %s", r"has(\1, ?)", statement)
    # Times are kept as text there; only as a mere column would Django's connection convert them.
    statement = re.sub(r"\b([a-z]+\.[a-z]+_at)(?=,|\nFROM)", r"replace(\1,' ','T')||'Z'", statement)
    statement = statement.replace("now()", "strftime('%Y-%m-%d %H:%M:%f', 'now')")
    return statement.replace("%s", "?")


def _for_postgresql(statement: str) -> str:
    """The trigram indexes are of words in capitals."""
    return re.sub(r"([\w.]+) ILIKE %s", r"UPPER(\1::text) LIKE UPPER(%s)", statement)


MODERATES = """EXISTS (SELECT 1 FROM people_user_groups m JOIN auth_group g ON g.id = m.group_id
WHERE m.user_id = u.id AND g.name = 'moderators')"""
LESSON_COLUMNS = """l.id, l.course_id, l.title, l.description, l.preview, l.video_url, l.price,
l.position, l.is_preview, l.created_at, l.updated_at, c.owner_id
FROM lms_lesson l JOIN lms_course c ON c.id = l.course_id"""
COURSE_COLUMNS = """c.id, c.title, c.description, c.preview, c.price, c.is_published, c.owner_id,
u.first_name, EXISTS (SELECT 1 FROM lms_subscription s WHERE s.course_id = c.id AND s.user_id = %s),
c.created_at, c.updated_at
FROM lms_course c JOIN people_user u ON u.id = c.owner_id"""
NEWEST = "ORDER BY c.updated_at DESC, c.id DESC LIMIT %s OFFSET %s"
FOUND = "c.is_published AND (c.title ILIKE %s OR c.description ILIKE %s)"
WHOLE = "NOT (p.method = 'stripe' AND p.status = 'pending' AND p.session_id = '')"
SQL = {
    "user": f"""SELECT u.id, u.is_superuser, {MODERATES} FROM people_user u
        WHERE u.id = %s AND u.token_version = %s AND u.is_active""",
    "count_courses": "SELECT count(*) FROM lms_course",
    "count_own_courses": "SELECT count(*) FROM lms_course WHERE owner_id = %s",
    "courses": f"SELECT {COURSE_COLUMNS} {NEWEST}",
    "own_courses": f"SELECT {COURSE_COLUMNS} WHERE c.owner_id = %s {NEWEST}",
    "course": f"SELECT {COURSE_COLUMNS} WHERE c.id = %s",
    "lessons_of": f"""SELECT {LESSON_COLUMNS} WHERE l.course_id = ANY(%s)
        ORDER BY l.course_id, l.position, l.id""",
    "lessons_of_one": f"""SELECT {LESSON_COLUMNS} WHERE l.course_id = %s
        ORDER BY l.position, l.id LIMIT %s OFFSET %s""",
    "count_lessons_of_one": """SELECT count(*), min(c.owner_id) FROM lms_lesson l
        JOIN lms_course c ON c.id = l.course_id WHERE l.course_id = %s""",
    "catalog": f"""SELECT c.id, c.title, c.description, c.preview, c.price, c.owner_id,
        u.first_name, (SELECT count(*) FROM lms_lesson l WHERE l.course_id = c.id),
        EXISTS (SELECT 1 FROM lms_subscription s WHERE s.course_id = c.id AND s.user_id = %s),
        EXISTS (SELECT 1 FROM lms_access a WHERE a.course_id = c.id AND a.user_id = %s
                AND a.revoked_at IS NULL), c.updated_at
FROM lms_course c JOIN people_user u ON u.id = c.owner_id WHERE {FOUND} {NEWEST}""",
    "count_catalog": f"SELECT count(*) FROM lms_course c WHERE {FOUND}",
    "payments": """SELECT p.id, p.payer_id, p.course_id, p.lesson_id, p.title, p.amount, p.currency,
        p.method, p.status, p.session_url, p.session_expires_at > now(), p.created_at, p.paid_at
FROM payments_payment p WHERE {conditions} ORDER BY {order} LIMIT %s OFFSET %s""",
    "count_payments": "SELECT count(*) FROM payments_payment p WHERE {conditions}",
}
FOR_POSTGRESQL = SimpleNamespace(**{name: _for_postgresql(text) for name, text in SQL.items()})
FOR_SQLITE = SimpleNamespace(**{name: _for_sqlite(text) for name, text in SQL.items()})
ORDERS = {
    "-paid_at": "p.paid_at IS NULL, p.paid_at DESC, p.id DESC",
    "paid_at": "p.paid_at IS NULL, p.paid_at, p.id",
    "-amount": "p.amount DESC, p.id DESC",
    "amount": "p.amount, p.id",
}
