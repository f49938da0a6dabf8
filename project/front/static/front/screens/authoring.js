// The courses that somebody writes or moderates.
import { call, useSession } from "../session.js";
import { navigate, useQuery } from "../address.js";
import { Field, Filters, Form } from "../forms.js";
import { Action, Listed, Page, Thumbnail, day, html, priceOf, useLoad } from "../ui.js";
import { ORDERS, about } from "./catalog.js";

/** @typedef {import("../types").Schemas} Schemas */

/** @param {{ id: number }} course */
const edit = ({ id }) => navigate(`/authoring/${id}`);

const CHOICES = { ordering: [gettext("Order"), ORDERS] };

export function Authoring() {
  const { abilities } = /** @type {Schemas["ProfileOut"]} */ (useSession().profile);
  const query = useQuery("search", "ordering", "page");
  const courses = useLoad(() => call("get", "courses", { query }), [JSON.stringify(query)]);
  /** @param {Schemas["CourseIn"]} body */
  const create = async (body) => edit(await call("post", "courses", { body }));
  /** @param {Schemas["CourseOut"]} course */
  const row = (course) => html`<${Row} key=${course.id} course=${course} reload=${courses.reload} />`;
  return html`<${Page} title=${abilities.moderate ? gettext("All courses") : gettext("My courses")}>
    <${Filters} query=${query} search=${gettext("Search courses")} choices=${CHOICES} />
    <${Listed} of=${courses} row=${row} none=${gettext("No courses were found.")} />
    ${
      abilities.create_course &&
      html`<h2>${gettext("New course")}</h2>
      <${Form} send=${create} submit=${gettext("Create")}><${Field} name="title" label=${gettext("Title")} /><//>`
    }
  <//>`;
}

/** @param {{ course: Schemas["CourseOut"], reload: () => Promise<void> }} props */
function Row({ course, reload }) {
  const { id, title, is_published, abilities } = course;
  const path = { course_id: id };
  const copy = async () => edit(await call("post", "courses/{course_id}/copy", { path }));
  const remove = () => call("delete", "courses/{course_id}", { path }).then(reload);
  const question = interpolate(gettext("“%(title)s” will be deleted with all its lessons."), { title }, true);
  return html`<li>
    <${Thumbnail} of=${course.preview} title=${course.title} class="thumbnail small" />
    <div class="grow">
      <a href="/authoring/${id}">${title}</a> ${!is_published && html`<span class="tag">${gettext("draft")}</span>`}
      <br /><small>${about(course)} · ${priceOf(course.price, course.currency)} · ${day(course.updated_at)}</small>
    </div>
    ${abilities.copy && html`<${Action} do=${copy}>${gettext("Copy")}<//>`}
    ${abilities.delete && html`<${Action} class="danger" ask=${question} do=${remove}>${gettext("Delete")}<//>`}
  </li>`;
}

/**
 * What is around each screen of one course.
 * @param {{ course: { id: number, title: string }, title: string, children: import("preact").ComponentChildren }} props
 */
export function OfCourse({ course: { id, title: name }, title, children }) {
  const parts = {
    [`/authoring/${id}`]: title === name ? gettext("Text and lessons") : name,
    [`/authoring/${id}/people`]: gettext("Learners"),
    [`/authoring/${id}/history`]: gettext("History"),
    [`/courses/${id}`]: gettext("See as a learner"),
  };
  /** @param {[string, string]} part */
  const link = ([address, text]) =>
    html`<a href=${address} aria-current=${address === location.pathname ? "page" : undefined}>${text}</a>`;
  return html`<${Page} title=${title}>
    <nav class="parts" aria-label=${name}>${Object.entries(parts).map(link)}</nav>
    ${children}
  <//>`;
}
