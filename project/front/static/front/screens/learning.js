// What a person learns: their courses, the outline of one, a lesson.
import { useEffect, useState } from "preact/hooks";

import { Problem } from "../client.js";
import { call } from "../session.js";
import { navigate, useQuery } from "../address.js";
import { Action, Loaded, Page, Pager, Prose, Thumbnail, html, notify, priceOf, said, useLoad } from "../ui.js";

/** @typedef {import("../types").Schemas} Schemas */

export function Learning() {
  const query = useQuery("page");
  const items = useLoad(() => call("get", "learning/courses", { query }), [query.page]);
  /** @param {Schemas["PagedLearningItemOut"]} paged */
  const draw = (paged) => html`
    <ul class="cards">${paged.items.map((item) => html`<${Item} ...${item} />`)}</ul>
    <${Pager} of=${paged} />
    ${!paged.count && html`<p>${gettext("You are not learning anything yet.")}</p>`}
    ${!paged.count && html`<a class="button main" href="/">${gettext("Find a course")}</a>`}`;
  return html`<${Page} title=${gettext("My learning")}><${Loaded} of=${items}>${draw}<//><//>`;
}

/** @param {Schemas["LearningItemOut"]} item A course or a single lesson. */
function Item({ lesson_id: lesson, title, preview, course, progress, next_lesson_id: next }) {
  const address = `/learn/${course.id}`;
  return html`<li class="card">
    <${Thumbnail} of=${preview} title=${title} />
    <h2><a href=${lesson ? `${address}/${lesson}` : address}>${title}</a></h2>
    ${lesson && html`<p class="quiet">${interpolate(gettext("A lesson of “%(title)s”"), course, true)}</p>`}
    <${Progress} of=${progress} />
    <p>${next && html`<a class="button main" href="${address}/${next}">${onward(progress)}</a>`}</p>
  </li>`;
}

/** @param {Schemas["ProgressOut"]} progress */
const onward = ({ completed }) => (completed ? gettext("Continue") : gettext("Start"));

/** @param {{ of: Schemas["ProgressOut"] }} props */
function Progress({ of: { completed, total } }) {
  if (!total) return null;
  const told = interpolate(gettext("%(completed)s of %(total)s completed"), { completed, total }, true);
  return html`<div class="progress">
    <progress max=${total} value=${completed} aria-label=${gettext("Progress")}></progress>
    <small>${completed === total ? gettext("Completed") : told}</small>
  </div>`;
}

/** @param {{ course: string }} props */
export function Outline({ course: id }) {
  const path = { course_id: Number(id) };
  const course = useLoad(() => call("get", "learning/courses/{course_id}", { path }), [id]);
  const leave = async () => {
    await call("delete", "learning/courses/{course_id}/enrollment", { path });
    await navigate("/learn");
    notify(gettext("You have left the course. What you completed is remembered."));
  };
  /** @param {Schemas["LearningCourseOut"]} found */
  const draw = ({ title, summary, progress, next_lesson_id: next, lessons }) => html`<${Page} title=${title}>
    ${summary && html`<p class="prose">${summary}</p>`}
    <${Progress} of=${progress} />
    <p class="buttons">
      ${next && html`<a class="button main" href="/learn/${id}/${next}">${onward(progress)}</a>`}
      <a class="button" href="/courses/${id}">${gettext("About the course")}</a>
    </p>
    <h2>${gettext("Lessons")}</h2>
    ${!lessons.length && html`<p>${gettext("There are no lessons yet.")}</p>`}
    <ol class="rows">${lessons.map((one, index) => html`<${Row} number=${index + 1} course=${id} ...${one} />`)}</ol>
    <p><${Action} class="plain" ask=${gettext("Leave this course?")} do=${leave}>${gettext("Leave the course")}<//></p>
  <//>`;
  return html`<${Open} of=${course}>${draw}<//>`;
}

/** @param {Schemas["LearningOutlineLessonOut"] & { number: number, course: string }} lesson */
function Row({ id, number, course, title, has_access: isOpen, is_completed: isDone, ...marks }) {
  return html`<li>
    ${!isDone && html`<span class="mark">${number}</span>`}
    ${isDone && html`<span class="mark done" role="img" aria-label=${gettext("Completed")}>✓</span>`}
    <span class="grow">${isOpen ? html`<a href="/learn/${course}/${id}">${title}</a>` : title}</span>
    ${!isOpen && html`<span class="quiet">${gettext("Not open to you")}</span>`}
    <${Marks} ...${marks} />
  </li>`;
}

/** @param {{ is_preview: boolean, is_published: boolean }} lesson */
const Marks = ({ is_preview: isPreview, is_published: isPublished }) => html`
  ${isPreview && html`<span class="tag">${gettext("open to everybody")}</span>`}
  ${!isPublished && html`<span class="tag">${gettext("draft")}</span>`}`;

/** What is loaded; without access, the way to it. @param {Parameters<typeof Loaded>[0]} props */
function Open({ of, children }) {
  const course = of.error instanceof Problem && of.error.code === "no_access" && of.error.body.course;
  if (!course) return html`<${Loaded} of=${of}>${children}<//>`;
  return html`<${Page} title=${course.title}>
    <p>${said(of.error)}</p>
    <p class="buttons">
      <a class="button main" href="/courses/${course.id}">${gettext("To the course")}</a>
      <b>${priceOf(course.price, course.currency)}</b>
    </p>
  <//>`;
}

/** @param {{ course: string, lesson: string }} props */
export function Lesson({ course, lesson: id }) {
  const path = { lesson_id: Number(id) };
  const loaded = useLoad(() => call("get", "learning/lessons/{lesson_id}", { path }), [id]);
  const right = loaded.data?.course_id;
  useEffect(() => {
    if (right && String(right) !== course) navigate(`/learn/${right}/${id}`, { replace: true });
  }, [right]);
  /** @param {number | null} lesson @param {string} rel @param {string} text */
  const to = (lesson, rel, text) =>
    lesson ? html`<a href="/learn/${right}/${lesson}" rel=${rel}>${text}</a>` : html`<span></span>`;
  /** @param {Schemas["LearningLessonOut"]} lesson */
  const draw = (lesson) => html`<article class="lesson">
    <p class="buttons"><a href="/learn/${right}">${lesson.course.title}</a> <${Marks} ...${lesson} /></p>
    <${Page} title=${lesson.title}>
      ${!lesson.video && lesson.preview && html`<img src=${lesson.preview.url} alt="" />`}
      ${lesson.video && html`<${Video} ...${lesson} />`}
      <${Prose} of=${lesson.description_html} />
      <div role="status"><${Completion} ...${lesson} /></div>
      <nav class="pager" aria-label=${gettext("Lessons")}>
        ${to(lesson.previous_lesson_id, "prev", gettext("Previous lesson"))}
        ${to(lesson.next_lesson_id, "next", gettext("Next lesson"))}
      </nav>
    <//>
  </article>`;
  return html`<${Open} of=${loaded}>${draw}<//>`;
}

/** @param {Element | null} parent */
const focusNext = (parent) =>
  /** @type {HTMLElement | null} */ (parent?.querySelector(".main, iframe"))?.focus();

/** Nothing is asked of YouTube before the click. @param {Schemas["LearningLessonOut"]} lesson */
function Video({ title, preview, video, video_url: address }) {
  const [isOn, setOn] = useState(false);
  const player = new URL(String(video?.embed_url));
  player.host = "www.youtube-nocookie.com";
  player.searchParams.set("autoplay", "1");
  const start = html`<button onClick=${() => setOn(true)}>
    ${preview && html`<img src=${preview.url} alt="" />`}<span class="button main">▶ ${gettext("Play the video")}</span>
  </button>`;
  const frame = html`<iframe src=${player.href} title=${title} referrerpolicy="strict-origin-when-cross-origin"
    allow="fullscreen; encrypted-media; picture-in-picture; autoplay" />`;
  return html`<div class="video" key=${isOn} ref=${isOn && focusNext}>${isOn ? frame : start}</div>
    <p><small>${gettext("The video comes from YouTube.")} <a href=${address} target="_blank" rel="noopener">
      ${gettext("It does not play? Watch it there")}</a></small></p>`;
}

/** Leads on to the next lesson. @param {Schemas["LearningLessonOut"]} lesson */
function Completion({ id: lesson_id, course_id: course, is_completed: wasDone }) {
  const [isDone, setDone] = useState(wasDone);
  const [change, setChange] = useState(/** @type {Schemas["ProgressChangeOut"] | null} */ (null));
  /** @param {"put" | "delete"} method */
  const mark = async (method) => {
    setChange(await call(method, "learning/lessons/{lesson_id}/completion", { path: { lesson_id } }));
    setDone(method === "put");
  };
  const next = change?.next_lesson_id;
  const isAll = change && change.progress.completed === change.progress.total;
  return html`<div key=${isDone} ref=${change && focusNext} class=${isDone ? "notice completion" : "completion"}>
    ${isDone && html`<b>✓ ${isAll ? gettext("You have completed the course") : gettext("Lesson completed")}</b>`}
    ${isDone && change && html`<${Progress} of=${change.progress} />`}
    <p class="buttons">
      ${isDone && next && html`<a class="button main" href="/learn/${course}/${next}">${gettext("Go on")}</a>`}
      ${isDone && change && !next && html`<a class="button main" href="/learn">${gettext("To my learning")}</a>`}
      ${isDone && html`<${Action} class="plain" do=${() => mark("delete")}>${gettext("Not completed after all")}<//>`}
      ${!isDone && html`<${Action} class="main" do=${() => mark("put")}>${gettext("Mark as completed")}<//>`}
    </p>
  </div>`;
}
