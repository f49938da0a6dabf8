-- A school for bench/large.py, made by PostgreSQL itself: a million rows in seconds. What was made earlier,
-- with ids below `…_from`, stays. Each course has three lessons, and its subscribers were written to once;
-- each paid payment gave access, and has a subscriber and two completed lessons. An author has twenty
-- courses; who pays pays twenty times. What staff have to do is little, however large the school is: the
-- last hundred payments wait. All months but the last two and the present one are closed. People joined and paid over two years, and were seen within three weeks.

INSERT INTO people_user (id, password, last_login, is_superuser, first_name, last_name, is_staff,
    is_active, date_joined, email, phone, city, avatar, language, blocked_at, blocked_reason,
    token_version, searched, searched_by_staff)
SELECT *, lower(first_name || ' ' || city), lower(last_name || ' ' || email)
FROM (SELECT n AS id, '!' AS password, now() - (n % 21) * interval '1 day' - (n % 1440) * interval '1 minute', n = 1,
    (ARRAY['Ivan', 'Olga', 'Petr', 'Maria'])[1 + n % 4] || n / 1000 AS first_name,
    (ARRAY['Ivanova', 'Petrov', 'Smirnova', 'Larsen'])[1 + n * 7 % 4] AS last_name, n % 100000 = 1,
    n % 50 <> 3, now() - (n % 730) * interval '1 day' - (n % 1440) * interval '1 minute',
    'person' || n || '@school.example' AS email, '',
    (ARRAY['Moscow', 'Tallinn', 'Oslo', 'Самара'])[1 + n * 3 % 4] AS city, '', 'en',
    CASE WHEN n % 50 = 3 THEN now() END,
    CASE WHEN n % 500 = 3 THEN 'staff' WHEN n % 50 = 3 THEN 'inactivity' ELSE '' END, 0
    FROM generate_series({people_from}, {people}) n) numbers;

INSERT INTO lms_course (id, owner_id, title, description, summary, description_html, preview, price,
    is_published, created_at, updated_at, materials_updated_at, searched)
SELECT n, 1 + n / 20, title, about, about, '<p>' || about || '</p>', '', n % 990, n % 10 <> 0, at, at, at,
    lower(title || ' ' || about || ' ' || first_name)
FROM (SELECT n, now() - (n % 730) * interval '1 day' - (n % 1440) * interval '1 minute' AS at,
        (ARRAY['Bread', 'Sourdough', 'Watercolour', 'Guitar', 'Algebra', 'Хлеб', 'Python', 'Chess'])
            [1 + n % 8] || ' ' || n AS title, 'What course ' || n || ' is about' AS about
    FROM generate_series({courses_from}, {courses}) n) numbers
JOIN people_user author ON author.id = 1 + n / 20;

INSERT INTO lms_lesson (id, course_id, title, description, summary, description_html, preview, video_url,
    price, position, is_preview, created_at, updated_at, searched)
SELECT course.id * 3 + n - 3,
    course.id, (ARRAY['Flour', 'Water', 'Lesson'])[n] || ' ' || course.id, 'Words', 'Words', '<p>Words</p>', '', '',
    CASE WHEN n = 2 THEN course.price END, n, n = 1 AND course.id % 20 = 0,
    course.created_at, course.updated_at,
    lower((ARRAY['Flour', 'Water', 'Lesson'])[n] || ' ' || course.id || ' words')
FROM lms_course course, generate_series(1, 3) n WHERE course.id >= {courses_from};

INSERT INTO payments_payment (id, payer_id, course_id, title, searched, amount, currency, method, status,
    created_at, paid_at, external_id, token, attempt, session_id, session_url, payment_intent_id,
    refunded_amount, account_id, refusal, received_currency)
SELECT n, payer, course.id, course.title, lower(course.title), 990 + n % 1000, 'RUB', way, state, at,
    CASE WHEN state IN ('paid', 'refunded') THEN at END, 'B-' || n, gen_random_uuid(), 1,
    CASE WHEN way = 'stripe' THEN 'cs_test_' || n ELSE '' END, '',
    CASE WHEN way = 'stripe' THEN 'pi_' || n ELSE '' END,
    CASE WHEN state = 'refunded' THEN 990 + n % 1000 ELSE 0 END, '', '', ''
FROM (SELECT n, 1 + n / 20 * 13 % {people} AS payer, 1 + n * 17 % {courses} AS target,
        (ARRAY['cash', 'transfer', 'stripe', 'stripe'])[1 + n % 4] AS way,
        CASE WHEN n > {payments} - 100 AND n % 4 < 2 THEN 'pending' WHEN n % 40 = 0 THEN 'failed'
            WHEN n % 100 = 1 THEN 'refunded' ELSE 'paid' END AS state,
        now() - (n % 730) * interval '1 day' - (n % 1440) * interval '1 minute' AS at
    FROM generate_series({payments_from}, {payments}) n) numbers
JOIN lms_course course ON course.id = target;

INSERT INTO payments_closedmonth (month, closed_at, by_id)
SELECT month, now(), 1 FROM generate_series(date_trunc('month', now()) - interval '25 months',
    date_trunc('month', now()) - interval '3 months', '1 month') month
ON CONFLICT DO NOTHING;

INSERT INTO payments_ledgerentry (payment_id, kind, method, currency, amount, day, created_at, closed_in_id)
SELECT moved.*, closed.id FROM (
    SELECT id, 'payment', method, currency, amount, paid_at::date AS day, paid_at FROM payments_payment
    WHERE id >= {payments_from} AND paid_at IS NOT NULL
    UNION ALL
    SELECT id, 'refund', method, currency, -refunded_amount, least(paid_at + interval '10 days', now())::date, now()
    FROM payments_payment WHERE id >= {payments_from} AND refunded_amount > 0
) moved LEFT JOIN payments_closedmonth closed ON closed.month = date_trunc('month', moved.day)::date;

UPDATE payments_closedmonth SET sums = kept.sums FROM (
    SELECT closed_in_id, jsonb_agg(jsonb_build_array(day, method, kind, currency, amount::text, entries::text)) AS sums
    FROM (
        SELECT closed_in_id, day, method, kind, currency, sum(amount) AS amount, count(*) AS entries
        FROM payments_ledgerentry WHERE closed_in_id IS NOT NULL GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 2, 3, 4, 5
    ) summed GROUP BY closed_in_id
) kept WHERE id = closed_in_id;

INSERT INTO lms_access (user_id, course_id, source, reference, reason, created_at, revoked_at,
    revoked_reason)
SELECT payer_id, course_id, 'payment', 'payment:' || id, '', paid_at,
    CASE status WHEN 'refunded' THEN now() END, ''
FROM payments_payment WHERE id >= {payments_from} AND paid_at IS NOT NULL
UNION ALL
SELECT 1 + n, 1 + n, 'grant', '', 'Prize', now(), NULL, ''
FROM generate_series({courses_from}, {courses} - 1) n WHERE n % 100 = 0;

INSERT INTO lms_subscription (user_id, course_id, created_at)
SELECT payer_id, course_id, created_at FROM payments_payment WHERE id >= {payments_from}
ON CONFLICT DO NOTHING;

INSERT INTO lms_completion (user_id, lesson_id, created_at)
SELECT payer_id, course_id * 3 - n, paid_at FROM payments_payment, generate_series(0, 1) n
WHERE id >= {payments_from} AND paid_at IS NOT NULL
ON CONFLICT DO NOTHING;

INSERT INTO mail_mailing (id, kind, key, subject_id, title, searched, state, listed_up_to, listing_attempts,
    due_at, created_at)
SELECT id, 'course_update', 'course_update:' || id, id, title, lower(title), 'listed', 0, 0, updated_at, updated_at
FROM lms_course WHERE id >= {courses_from};

INSERT INTO mail_delivery (mailing_id, recipient_id, status, urgent, attempts, refusals, due_at,
    finished_at, error)
SELECT course_id, payer_id, CASE WHEN id > {payments} - 50 THEN 'refused' ELSE 'sent' END, false,
    1, 0, created_at, created_at, ''
FROM payments_payment WHERE id >= {payments_from}
ON CONFLICT DO NOTHING;

INSERT INTO payments_stripeevent (event_id, type, payment_id, outcome, happened_at, received_at,
    intent_id)
SELECT 'evt_' || id, CASE status WHEN 'refunded' THEN 'charge.refunded'
    ELSE 'checkout.session.completed' END, id, 'moved to: paid', created_at, created_at, ''
FROM payments_payment WHERE id >= {payments_from} AND method = 'stripe';

ANALYZE;
