// The front of a school: which screen an address has, and what is around all of them.
import { render } from "preact";
import { useEffect, useMemo } from "preact/hooks";

import {
  SessionContext,
  api,
  call,
  language,
  onChange,
  readSession,
  setProfile,
  useLanguage,
  useSession,
} from "./session.js";
import { followLinks, navigate, useAddress } from "./address.js";
import { Action, Avatar, Loaded, NotFound, Notices, Question, html, useLoad } from "./ui.js";
import { Authoring } from "./screens/authoring.js";
import { Catalog } from "./screens/catalog.js";
import { Course } from "./screens/course.js";
import * as entry from "./screens/entry.js";
import { History, Learners } from "./screens/insight.js";
import { CourseEditor, LessonEditor, NewLesson } from "./screens/materials.js";
import { Learning, Lesson, Outline } from "./screens/learning.js";
import { PaymentPage, Payments } from "./screens/payments.js";
import { OnePerson, People } from "./screens/people.js";
import { Account, MailTrouble } from "./screens/profile.js";
import { Subscriptions } from "./screens/subscriptions.js";

/** @typedef {import("./types").Schemas} Schemas */
/** @typedef {(props: any) => import("preact").ComponentChildren} Screen */

// What stands for `:name` comes as a prop; "open" screens need no log-in, the catalog if the school says so.
/** @type {[string, Screen, ("open" | "catalog")?][]} */
const ROUTES = [
  ["/", Catalog, "catalog"],
  ["/courses/:id", Course, "catalog"],
  ["/payments", Payments],
  ["/payments/:id", PaymentPage],
  ["/subscriptions", Subscriptions],
  ["/learn", Learning],
  ["/learn/:course", Outline],
  ["/learn/:course/:lesson", Lesson],
  ["/login", entry.LogIn, "open"],
  ["/register", entry.Register, "open"],
  ["/password-reset", entry.PasswordReset, "open"],
  ["/password-reset/:uid/:token", entry.PasswordChoice, "open"],
  ["/email/:uid/:token", entry.EmailConfirmation, "open"],
  ["/reactivation", entry.Reactivation, "open"],
  ["/reactivation/:uid/:token", entry.AccountOpening, "open"],
  ["/profile", Account],
  ["/people", People],
  ["/people/:id", OnePerson],
  ["/authoring", Authoring],
  ["/authoring/:course", CourseEditor],
  ["/authoring/:course/people", Learners],
  ["/authoring/:course/history", History],
  ["/authoring/:course/lessons/new", NewLesson],
  ["/authoring/:course/lessons/:lesson", LessonEditor],
];
const PATTERNS = ROUTES.map(([path, screen, access]) => ({
  pattern: new RegExp(`^${path.replace(/:(\w+)/g, "(?<$1>[^/]+)")}/?$`),
  screen,
  access,
}));

/** @param {string} path */
function findScreen(path) {
  for (const { pattern, screen, access } of PATTERNS) {
    const found = pattern.exec(path);
    if (found) return { screen, access, props: { ...found.groups } };
  }
  return null;
}

const root = /** @type {HTMLElement} */ (document.getElementById("app"));
const NAME = root.querySelector("header")?.textContent;

function Front() {
  const loaded = useLoad(readSession, []);
  useEffect(() => onChange((changes) => loaded.data && loaded.set({ ...loaded.data, ...changes })));
  // Until then the header looks as it came with the page.
  if (!loaded.data)
    return html`<header><b class="brand">${NAME}</b></header><main><${Loaded} of=${loaded} /></main>`;
  return html`<${SessionContext.Provider} value=${loaded.data}><${Shell} /><//>`;
}

function Shell() {
  const { meta, profile } = useSession();
  const address = useAddress();
  const found = useMemo(() => findScreen(address.pathname), [address.pathname]);
  const mayOpen =
    found && (profile || found.access === "open" || (found.access === "catalog" && meta.public_catalog));
  useEffect(() => {
    if (found && !mayOpen) {
      navigate(`/login?next=${encodeURIComponent(address.pathname + address.search)}`, { replace: true });
    }
  }, [found, mayOpen]);
  // Another person sees other things at the same address.
  const key = `${found?.access === "open" ? "" : profile?.id} ${address.pathname}`;
  return html`
    <a class="skip" href="#main">${gettext("To the content")}</a>
    <${Header} address=${address} />
    <${MailTrouble} />
    <main id="main" key=${key}>
      ${!found ? html`<${NotFound} />` : mayOpen && html`<${found.screen} ...${found.props} />`}
    </main>
    <${Footer} />
    <${Notices} />
    <${Question} />
  `;
}

/** @param {{ address: URL }} props */
function Header({ address }) {
  const { meta, profile } = useSession();
  /** @type {[string, string][]} */
  const links = [
    ["/", gettext("Courses")],
    ["/learn", gettext("My learning")],
    ["/payments", gettext("Payments")],
  ];
  if (profile?.abilities.create_course || profile?.abilities.moderate)
    links.push(["/authoring", gettext("Authoring")]);
  /** @param {[string, string]} link */
  const draw = ([path, text]) =>
    html`<a href=${path} aria-current=${isIn(address.pathname, path) ? "page" : undefined}>${text}</a>`;
  const visitor = html`<a class="button" href="/login">${gettext("Log in")}</a>
    ${meta.is_registration_open && html`<a class="button main" href="/register">${gettext("Register")}</a>`}`;
  if (!profile) return html`<header><${Brand} /><div class="account">${visitor}</div></header>`;
  const name = profile.first_name ?? profile.email;
  return html`<header>
    <${Brand} />
    <nav aria-label=${gettext("Main")}>${links.map(draw)}</nav>
    <div class="account">
      <a class="person" href="/profile"><${Avatar} ...${profile} />${name}</a>
      <${Action} class="plain" do=${leave}>${gettext("Log out")}<//>
    </div>
  </header>`;
}

function Brand() {
  const { name, logo } = useSession().meta.school;
  return html`<a class="brand" href="/">${logo && html`<img class="logo" src=${logo.thumbnail} alt="" />`}${name}</a>`;
}

async function leave() {
  if (await navigate("/")) await api.logOut();
}

/** @param {string} path @param {string} link */
const isIn = (path, link) =>
  path === link ||
  (link !== "/" && path.startsWith(`${link}/`)) ||
  (link === "/" && path.startsWith("/courses/"));

function Footer() {
  const { meta, profile } = useSession();
  const { school } = meta;
  /** @param {string} code */
  const choose = async (code) => {
    if (!profile) return useLanguage(code);
    const body = { language: /** @type {Schemas["Language"]} */ (code) };
    setProfile(await call("patch", "users/{user_id}", { path: { user_id: profile.id }, body }));
    useLanguage(code);
  };
  return html`<footer>
    <address>
      ${school.address && html`<span class="lines">${school.address}</span>`}
      ${school.email && html`<a href="mailto:${school.email}">${school.email}</a>`}
      ${school.phone && html`<a href="tel:${school.phone.replace(/[^+\d]/g, "")}">${school.phone}</a>`}
    </address>
    <p class="languages">
      ${meta.languages.map(({ code, name }) => {
        const isChosen = code === language;
        return html`<${Action} class="plain" lang=${code} aria-pressed=${isChosen} do=${() => choose(code)}>${name}<//>`;
      })}
    </p>
  </footer>`;
}

followLinks((path) => findScreen(path) !== null);
root.replaceChildren();
render(html`<${Front} />`, root);
