// A course with its lessons, and a lesson, as those who write them see them.
import { useEffect, useRef, useState } from "preact/hooks";

import { call } from "../session.js";
import { navigate } from "../address.js";
import { Editor, Picture } from "../editor.js";
import { Action, Loaded, Page, attempt, html, notify, priceOf, useLoad } from "../ui.js";
import { OfCourse } from "./authoring.js";

/** @typedef {import("../types").Schemas} Schemas */
/** @typedef {Schemas["CourseDetailsOut"]} Course */
/** @typedef {Schemas["LessonDetailsOut"]} Lesson */
/** @typedef {Schemas["LessonOut"]} Row */

/** @param {{ course: string }} props */
export function CourseEditor({ course: id }) {
  const path = { course_id: Number(id) };
  const loaded = useLoad(() => call("get", "courses/{course_id}", { path }), [id]);
  /** @param {Schemas["CourseChanges"]} body @param {Course} version @param {boolean} notify */
  const save = (body, version, notify) =>
    call("patch", "courses/{course_id}", { path, body, version, query: { notify } });
  /** @param {Course} version */
  const draw = (version) => {
    /** @param {FormData} body */
    const put = (body) => loaded.take(call("put", "courses/{course_id}/preview", { path, body, version }));
    const remove = () => loaded.take(call("delete", "courses/{course_id}/preview", { path, version }));
    return html`<${OfCourse} course=${version} title=${version.title}>
      <div class="course">
        <${Editor} material=${version} slot="course.${id}" save=${save} of=${loaded} />
        <${Picture} of=${version.preview} put=${put} remove=${remove} />
      </div>
      <${Lessons} course=${version} take=${loaded.take} />
    <//>`;
  };
  return html`<${Loaded} of=${loaded}>${draw}<//>`;
}

const NO_DRAG = { from: -1, to: -1 };

/** @param {DragEvent} event */
function placeOf({ target, currentTarget }) {
  const rows = [.../** @type {HTMLElement} */ (currentTarget).children];
  return rows.findIndex((row) => row.contains(/** @type {Node} */ (target)));
}

/** @param {{ course: Course, take: (change: Promise<Course | undefined>) => Promise<void> }} props */
function Lessons({ course, take }) {
  const [order, setOrder] = useState(course.lessons);
  const [drag, setDrag] = useState(NO_DRAG);
  const wanted = useRef(/** @type {Row[] | null} */ (null));
  const isSending = useRef(false);
  useEffect(() => setOrder(course.lessons), [course]);

  /** Moves that come while one is sent are sent together. */
  const send = async () => {
    let version = course;
    for (let rows = wanted.current; rows; rows = wanted.current) {
      wanted.current = null;
      const body = { lesson_ids: rows.map((lesson) => lesson.id) };
      const path = { course_id: course.id };
      version = await call("put", "courses/{course_id}/lessons/order", { path, body, version });
    }
    return version;
  };
  /** @param {unknown} problem */
  const refuse = (problem) => {
    setOrder(course.lessons);
    throw problem;
  };
  /** @param {number} from @param {number} to */
  const move = async (from, to) => {
    const lesson = order[from];
    if (!lesson || from === to || !order[to]) return;
    const rows = order.filter((one) => one !== lesson);
    rows.splice(to, 0, lesson);
    setOrder(rows);
    wanted.current = rows;
    const told = { number: to + 1, title: lesson.title };
    notify(interpolate(gettext("No. %(number)s is now: %(title)s"), told, true));
    if (isSending.current) return;
    isSending.current = true;
    await attempt(take(send()).catch(refuse));
    isSending.current = false;
  };
  /** @param {Row} lesson @param {number} place */
  const row = (lesson, place) => {
    const { id, title, is_published, is_preview, price, currency, abilities } = lesson;
    const removal = {
      "aria-label": `${gettext("Delete")}: ${title}`,
      ask: interpolate(gettext("“%(title)s” will be deleted."), { title }, true),
      do: () => take(call("delete", "lessons/{lesson_id}", { path: { lesson_id: id } })),
    };
    /** @param {string} sign @param {string} label @param {number} to */
    const mover = (sign, label, to) => {
      const onClick = (/** @type {{ currentTarget: HTMLElement }} */ { currentTarget }) => {
        move(place, to);
        setTimeout(() => currentTarget.focus()); // It went with its row.
      };
      const press = { "aria-label": `${label}: ${title}`, "aria-disabled": !order[to], onClick };
      return html`<button type="button" ...${press}>${sign}</button>`;
    };
    const drop = drag.to === place ? (drag.from < place ? "below" : "above") : undefined;
    const address = `/authoring/${course.id}/lessons/${id}`;
    return html`<li key=${id} draggable data-drop=${drop}>
      <span class="quiet">${place + 1}</span>
      <a class="grow" draggable=${false} href=${address}>${title}</a>
      ${!is_published && html`<span class="tag">${gettext("draft")}</span>`}
      ${is_preview && html`<span class="tag">${gettext("open to everybody")}</span>`}
      ${price && html`<span class="quiet">${priceOf(price, currency)}</span>`}
      <span class="buttons">
        ${mover("↑", gettext("Move up"), place - 1)} ${mover("↓", gettext("Move down"), place + 1)}
        ${abilities.delete && html`<${Action} class="danger" ...${removal}>${gettext("Delete")}<//>`}
      </span>
    </li>`;
  };
  const dragging = {
    onDragStart: (/** @type {DragEvent} */ event) => setDrag({ from: placeOf(event), to: -1 }),
    onDragOver: (/** @type {DragEvent} */ event) => {
      event.preventDefault();
      if (placeOf(event) !== drag.to) setDrag({ ...drag, to: placeOf(event) });
    },
    onDrop: (/** @type {DragEvent} */ event) => {
      event.preventDefault();
      move(drag.from, placeOf(event));
    },
    onDragEnd: () => setDrag(NO_DRAG),
  };
  const fresh = `/authoring/${course.id}/lessons/new`;
  return html`<h2>${gettext("Lessons")}</h2>
    ${order.length > 0 && html`<ol class="rows" ...${dragging}>${order.map(row)}</ol>`}
    ${course.abilities.add_lesson && html`<p><a class="button" href=${fresh}>${gettext("New lesson")}</a></p>`}`;
}

const NOTHING = { title: null, video_url: null, description: null, price: null, position: null };
const NEW = { ...NOTHING, is_preview: false, is_published: true };

/** @param {{ course: string }} props */
export function NewLesson({ course }) {
  /** @param {Schemas["LessonIn"]} given @param {unknown} _none @param {boolean} notify */
  const save = (given, _none, notify) =>
    call("post", "lessons", { body: { ...given, course_id: Number(course) }, query: { notify } });
  /** @param {Lesson} lesson */
  const set = ({ id }) => navigate(`/authoring/${course}/lessons/${id}`, { replace: true, isSaved: true });
  return html`<${Page} title=${gettext("New lesson")}>
    <nav class="parts"><a href="/authoring/${course}">${gettext("To the course")}</a></nav>
    <${Editor} material=${NEW} slot="lesson.${course}.new" save=${save} of=${{ set }} />
  <//>`;
}

/** @param {{ course: string, lesson: string }} props */
export function LessonEditor({ course, lesson: id }) {
  const path = { lesson_id: Number(id) };
  const loaded = useLoad(() => call("get", "lessons/{lesson_id}", { path }), [id]);
  const home = `/authoring/${loaded.data?.course_id ?? course}`;
  useEffect(() => {
    if (home !== `/authoring/${course}`) navigate(`${home}/lessons/${id}`, { replace: true, isSaved: true });
  }, [home]);
  /** @param {Schemas["LessonChanges"]} body @param {Lesson} version @param {boolean} notify */
  const save = (body, version, notify) =>
    call("patch", "lessons/{lesson_id}", { path, body, version, query: { notify } });
  /** @param {Lesson} version */
  const draw = (version) => {
    /** @param {FormData} body */
    const put = (body) => loaded.take(call("put", "lessons/{lesson_id}/preview", { path, body, version }));
    const remove = () => loaded.take(call("delete", "lessons/{lesson_id}/preview", { path, version }));
    return html`<${Page} title=${version.title}>
      <nav class="parts">
        <a href=${home}>${gettext("To the course")}</a>
        ${version.abilities.delete && html`<a href="${home}/lessons/new">${gettext("New lesson")}</a>`}
        <a href="/learn/${version.course_id}/${id}">${gettext("See as a learner")}</a>
      </nav>
      <div class="course">
        <${Editor} material=${version} slot="lesson.${id}" save=${save} of=${loaded} />
        <${Picture} of=${version.preview} put=${put} remove=${remove} />
      </div>
    <//>`;
  };
  return html`<${Loaded} of=${loaded}>${draw}<//>`;
}
