// Who learns a course, and what was changed in it.
import { useState } from "preact/hooks";

import { call } from "../session.js";
import { useQuery } from "../address.js";
import { Difference } from "../differences.js";
import { FIELDS, inWords } from "../editor.js";
import { Action, Loaded, Pager, day, html, money, notify, priceOf, useLoad } from "../ui.js";
import { OfCourse } from "./authoring.js";
import { STATUSES } from "./payments.js";

/** @typedef {import("../types").Schemas} Schemas */
/** @typedef {Schemas["CourseDetailsOut"]} Course */
/** @typedef {Schemas["CourseStatisticsOut"]} Statistics */

const SOURCES = {
  payment: gettext("payment"),
  enrollment: gettext("free enrolment"),
  grant: gettext("granted by staff"),
};

/** @param {{ course: string }} props */
export function Learners({ course: id }) {
  const path = { course_id: Number(id) };
  const query = useQuery("page");
  const load = () =>
    Promise.all([
      call("get", "courses/{course_id}", { path }),
      call("get", "courses/{course_id}/statistics", { path }),
      call("get", "courses/{course_id}/people", { path, query }),
    ]);
  /** @param {[Course, Statistics, Schemas["PagedLearnerOut"]]} answers */
  const draw = ([course, { learners, subscribers, lessons, payments }, page]) => {
    /** @param {number} id */
    const titleOf = (id) => lessons.find(({ lesson_id }) => lesson_id === id)?.title ?? `№ ${id}`;
    /** @param {Schemas["RightOut"]} right */
    const right = ({ source, lesson_id, since }) => html`<div>
      ${SOURCES[source]}${lesson_id && ` (${titleOf(lesson_id)})`}, ${day(since)}
    </div>`;
    /** @param {Schemas["LearnerOut"]} learner */
    const learner = ({ id, first_name, progress, rights }) => html`<li key=${id}>
      <a class="grow" href="/people/${id}">${first_name ?? `№ ${id}`}</a>
      <small class="grow">${rights.map(right)}</small>
      <span>${progress.completed} / ${progress.total} (${progress.percent}%)</span>
    </li>`;
    return html`<${OfCourse} course=${course} title=${gettext("Learners")}>
      <p>${gettext("Learners")}: <b>${learners}</b> · ${gettext("Subscribers")}: <b>${subscribers}</b></p>
      ${page.count ? html`<ul class="rows">${page.items.map(learner)}</ul>` : gettext("Nobody learns this course yet.")}
      <${Pager} of=${page} />
      <${Figures} lessons=${lessons} payments=${payments} />
    <//>`;
  };
  return html`<${Loaded} of=${useLoad(load, [id, query.page])}>${draw}<//>`;
}

/** @param {Pick<Statistics, "lessons" | "payments">} props */
const Figures = ({ lessons, payments }) => html`
  <h2>${gettext("How many have completed each lesson")}</h2>
  <ol class="rows">${lessons.map(
    ({ title, completions }) => html`<li><span class="grow">${title}</span>${completions}</li>`,
  )}</ol>
  ${payments?.length ? html`<h2>${gettext("Payments")}</h2><ul class="rows">${payments.map(sum)}</ul>` : ""}`;

/** @param {Schemas["PaymentSumOut"]} sum */
const sum = ({ status, count, amount, currency }) =>
  html`<li><span class="grow">${STATUSES[status]}</span> ${count} <b>${money(amount, currency)}</b></li>`;

/** @param {Schemas["OwnerOut"] | null} person */
const called = (person) => (person ? (person.first_name ?? `№ ${person.id}`) : gettext("unknown"));

const KINDS = { created: gettext("Created"), changed: gettext("Changed"), deleted: gettext("Deleted") };
/** @type {Record<string, string>} */
const NAMES = {
  preview: gettext("Picture"),
  course_id: gettext("Course"),
  owner_id: gettext("Author"),
  lessons: gettext("Order of lessons"),
};

/** @param {{ course: string }} props */
export function History({ course: id }) {
  const path = { course_id: Number(id) };
  const query = useQuery("page");
  const [isMinor, setMinor] = useState(false);
  const load = () =>
    Promise.all([
      call("get", "courses/{course_id}", { path }),
      call("get", "courses/{course_id}/history", { path, query }),
    ]);
  const loaded = useLoad(load, [id, query.page]);
  /** @param {string} entry */
  const putBack = async (entry) => {
    const options = { path: { ...path, entry }, query: { notify: !isMinor } };
    await call("post", "courses/{course_id}/history/{entry}/revert", options);
    await loaded.reload();
    notify(gettext("Put back."));
  };
  const question = gettext("What was there before this change will be there again.");
  /** @param {[Course, Schemas["PagedChangeOut"]]} answers */
  const draw = ([course, page]) => {
    /** @param {Schemas["ChangeOut"]} change */
    const entry = ({ id, at, by, kind, lesson_id, fields }) => html`<li key=${id}>
      <div class="grow">
        <b>${KINDS[kind]}</b> <${Subject} id=${lesson_id} course=${course} fields=${fields} />
        <br /><small>${day(at, { withTime: true })} · ${called(by)}</small>
      </div>
      ${kind === "changed" && html`<${Action} ask=${question} do=${() => putBack(id)}>${gettext("Put back")}<//>`}
      <${Fields} isWhole=${kind !== "changed"} fields=${fields} currency=${course.currency} />
    </li>`;
    return html`<${OfCourse} course=${course} title=${gettext("History")}>
      <p class="check"><label><input type="checkbox" checked=${isMinor} onChange=${() => setMinor(!isMinor)} />
        ${" "}${gettext("Put back as a minor edit: nobody will be notified of it.")}</label></p>
      <ol class="rows">${page.items.map(entry)}</ol>
      <${Pager} of=${page} />
    <//>`;
  };
  return html`<${Loaded} of=${loaded}>${draw}<//>`;
}

/** @param {{ id: number | null, course: Course, fields: Schemas["FieldChangeOut"][] }} props */
function Subject({ id, course, fields }) {
  if (!id) return gettext("the course");
  const lesson = course.lessons.find((one) => one.id === id);
  if (lesson) return html`<a href="/authoring/${course.id}/lessons/${id}">${lesson.title}</a>`;
  const title = fields.find(({ name }) => name === "title");
  return String(title?.before ?? title?.after ?? `№ ${id}`);
}

/**
 * @typedef {{ isWhole: boolean, fields: Schemas["FieldChangeOut"][], currency: string }} FieldsProps
 * @param {FieldsProps} props `isWhole`: of what was created or deleted; not everybody wants to see it
 */
function Fields({ isWhole, fields, currency }) {
  /** @param {string} name @param {unknown} value */
  const told = (name, value) => {
    if (name === "price" && value !== null) return priceOf(String(value), currency);
    return name.endsWith("_id") && value ? `№ ${value}` : inWords(value);
  };
  /** @param {Schemas["FieldChangeOut"]} field */
  const isShown = ({ name, before, after }) => !isWhole || (name !== "course_id" && (before || after));
  /** @param {Schemas["FieldChangeOut"]} field */
  const field = ({ name, before, after }) => {
    const picture = before && after ? gettext("replaced") : after ? gettext("added") : gettext("removed");
    const texts = { before: told(name, before), after: told(name, after) };
    const text = html`<${Difference} ...${texts} isList=${name === "lessons"} />`;
    return html`<dt>${NAMES[name] ?? FIELDS[name]?.label}</dt><dd>${name === "preview" ? picture : text}</dd>`;
  };
  const list = html`<dl class="facts">${fields.filter(isShown).map(field)}</dl>`;
  if (!isWhole) return list;
  return html`<details class="whole"><summary>${gettext("The whole text")}</summary>${list}</details>`;
}
