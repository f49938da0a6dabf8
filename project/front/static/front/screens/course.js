// A course: what it is about, its lessons, and how to get it.
import { useRef, useState } from "preact/hooks";

import { Problem, newKey } from "../client.js";
import { call, useSession } from "../session.js";
import { navigate } from "../address.js";
import { Action, Loaded, Page, Prose, Thumbnail, fromNow, html, money, notify, pause, priceOf, useLoad } from "../ui.js";
import { about } from "./catalog.js";

/** @typedef {import("../types").Schemas} Schemas */
/** @typedef {Schemas["CatalogCourseDetailsOut"]} Offered */
/** @typedef {Schemas["LearningCourseOut"]} Learned */
/** @typedef {{ course: Offered, set: (course: Offered) => void, reload: () => Promise<void> }} OfferProps */

/** @param {{ id: string }} props */
export function Course({ id }) {
  const { profile } = useSession();
  const loaded = useLoad(() => readCourse(Number(id), profile !== null), [id, profile?.id]);
  /** @param {Offered | Learned} course */
  const draw = (course) => html`<${Page} title=${course.title}>
    <div class="course">
      <aside class="card" aria-label=${gettext("Access")}>
        ${course.preview && html`<${Thumbnail} of=${course.preview} title="" />`}
        ${"price" in course ? html`<${Offer} ...${loaded} course=${course} />` : html`<${Unlisted} id=${id} />`}
      </aside>
      <div>
        ${"owner" in course && html`<p class="quiet">${about(course)}</p>`}
        ${"owner" in course ? html`<${Prose} of=${course.description_html} />` : html`<p>${course.summary}</p>`}
        <h2>${gettext("Lessons")}</h2>
        <ol class="rows">${course.lessons.map((lesson) => {
          const { id, title, has_access } = lesson;
          const link = html`<a href="/learn/${course.id}/${id}">${title}</a>`;
          return html`<li key=${id}>
            <span class="grow">${has_access ? link : title}</span>
            ${"price" in course && html`<${LessonOffer} lesson=${lesson} course=${course} reload=${loaded.reload} />`}
          </li>`;
        })}</ol>
      </div>
    </div>
  <//>`;
  return html`<${Loaded} of=${loaded}>${draw}<//>`;
}

/**
 * As it is offered; what isn't offered (any more), for those who write or learn it.
 * @param {number} course_id
 * @param {boolean} isKnown somebody is logged in
 */
async function readCourse(course_id, isKnown) {
  const path = { course_id };
  try {
    return await call("get", "catalog/courses/{course_id}", { path });
  } catch (problem) {
    if (!isKnown || !(problem instanceof Problem) || problem.status !== 404) throw problem;
    return call("get", "learning/courses/{course_id}", { path });
  }
}

/** @param {{ id: string }} props */
const Unlisted = ({ id }) => html`
  <p>${gettext("This course is not published. Only its author, moderators and those who have it can see it.")}</p>
  <p><a class="button main" href="/learn/${id}">${gettext("To the lessons")}</a></p>`;

/** @param {OfferProps} props */
function Offer({ course, set, reload }) {
  const { id, price, currency, is_subscribed, has_access } = course;
  const { meta, profile } = useSession();
  const path = { course_id: id };
  const cost = html`<p class="price">${has_access ? gettext("You have access") : priceOf(price, currency)}</p>`;
  if (!profile) {
    const next = `?next=${encodeURIComponent(location.pathname)}`;
    return html`${cost}
      <p><a class="button main" href="/login${next}">${gettext("Log in to start learning")}</a></p>
      ${meta.is_registration_open && html`<p><a href="/register${next}">${gettext("Register")}</a></p>`}`;
  }
  const enrol = async () => {
    await call("post", "learning/courses/{course_id}/enrollment", { path }).catch(reloading(reload));
    return navigate(`/learn/${id}`);
  };
  const subscribe = async () => {
    await call(is_subscribed ? "delete" : "post", "courses/{course_id}/subscription", { path });
    set({ ...course, is_subscribed: !is_subscribed });
  };
  const way = Number(price)
    ? html`<${Buy} what=${path} reload=${reload} />`
    : html`<p><${Action} class="main" do=${enrol}>${gettext("Start learning")}<//></p>`;
  const [told, press] = is_subscribed
    ? [gettext("You get emails about updates to this course."), gettext("Unsubscribe")]
    : [gettext("Get an email when the course changes."), gettext("Subscribe")];
  return html`${cost}
    ${has_access ? html`<p><a class="button main" href="/learn/${id}">${gettext("Continue learning")}</a></p>` : way}
    <p class="quiet">${told} <${Action} class="plain" do=${subscribe}>${press}<//></p>`;
}

/** @param {OfferProps & { lesson: Schemas["CatalogLessonOut"] }} props */
function LessonOffer({ lesson, course, reload }) {
  const { profile } = useSession();
  if (lesson.has_access) return !course.has_access && html`<span class="tag">${gettext("open")}</span>`;
  if (lesson.price === null || !Number(lesson.price)) return null;
  const price = money(lesson.price, course.currency);
  if (!profile) return html`<span>${price}</span>`;
  return html`<details>
    <summary class="button">${interpolate(gettext("Buy for %(price)s"), { price }, true)}</summary>
    <${Buy} what=${{ lesson_id: lesson.id }} reload=${reload} />
  </details>`;
}

/** In the order in which they are offered. @type {[Schemas["PaymentMethod"], string][]} */
const METHODS = [
  ["stripe", gettext("Pay online")],
  ["transfer", gettext("Pay by transfer")],
  ["cash", gettext("Pay in cash")],
];

/** @param {{ what: { course_id: number } | { lesson_id: number }, reload: () => Promise<void> }} props */
function Buy({ what, reload }) {
  const { payment_methods } = useSession().meta;
  const [pressed, setPressed] = useState("");
  // Of wishes that are not fulfilled yet: however often one is repeated, it buys once.
  const keys = useRef(/** @type {Record<string, string>} */ ({})).current;
  /** @param {Schemas["PaymentMethod"]} method */
  const buy = async (method) => {
    const here = location.href;
    const wish = { body: { ...what, method }, key: (keys[method] ??= newKey()) };
    let payment;
    while (!payment) {
      payment = await call("post", "payments", wish).catch(waitIfBusy);
      if (location.href !== here) return;
    }
    delete keys[method];
    if (!payment.payment_url) return navigate(`/payments/${payment.id}`);
    location.assign(payment.payment_url);
    // Until the buyer is away, or comes back to this page as it was.
    await new Promise((done) => addEventListener("pageshow", done, { once: true }));
  };
  /** @param {Schemas["PaymentMethod"]} method */
  const press = (method) => {
    setPressed(method);
    return buy(method)
      .catch(reloading(reload))
      .finally(() => setPressed(""));
  };
  const offered = METHODS.filter(([method]) => payment_methods.includes(method));
  return html`<p class="ways">${offered.map(([method, text], number) => {
    const look = number ? "" : "main";
    const isOff = pressed !== "" && pressed !== method;
    return html`<${Action} class=${look} disabled=${isOff} do=${() => press(method)}>${text}<//>`;
  })}</p>
  <p class="quiet">${
    payment_methods.includes("stripe")
      ? gettext("Online you can start at once, otherwise as soon as the school has confirmed the payment.")
      : gettext("You can start as soon as the school has confirmed the payment.")
  }</p>`;
}

/** Stripe says when it may be asked again; anything else goes wrong as it does. @param {unknown} problem */
async function waitIfBusy(problem) {
  if (!(problem instanceof Problem) || problem.code !== "payment_provider_busy") throw problem;
  const seconds = Math.max(problem.retryAfter, 1);
  notify(interpolate(gettext("Stripe is busy. Trying again %(when)s."), { when: fromNow(seconds) }, true));
  await pause(seconds);
}

/** What was refused because the course is another one by now shows it as it is. @param {() => Promise<void>} reload */
const reloading = (reload) => async (/** @type {unknown} */ problem) => {
  if (problem instanceof Problem && [402, 404, 409].includes(problem.status)) await reload();
  throw problem;
};
