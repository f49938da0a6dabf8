// What all screens are made of: loading, their frame, things to press, formats.
import { h } from "preact";
import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import htm from "htm";

import { Problem, Unreachable } from "./client.js";
import { shown } from "./money.js";
import { language, useSession } from "./session.js";

/** @typedef {import("preact").ComponentChildren} Children */
/** @typedef {import("./types").Schemas} Schemas */

export const html = htm.bind(h);

// --- Loading -------------------------------------------------------------------------------------

/**
 * What a request brings. While the API is away it is asked again by itself.
 * @template T
 * @param {() => Promise<T>} load
 * @param {unknown[]} of what the request depends on
 */
export function useLoad(load, of) {
  const [state, setState] = useState(/** @type {{ data?: T, error?: unknown }} */ ({}));
  const round = useRef(0);
  const reload = useCallback(async () => {
    const own = ++round.current;
    /** @type {typeof state} */
    const loaded = await load().then(
      (data) => ({ data }),
      (error) => ({ error }),
    );
    if (own === round.current) setState(loaded);
  }, of);
  useEffect(() => {
    setState({});
    reload();
    return () => void round.current++;
  }, [reload]);
  useEffect(() => {
    if (!isAway(state.error)) return;
    const timer = setTimeout(reload, 5000);
    addEventListener("online", reload);
    return () => {
      clearTimeout(timer);
      removeEventListener("online", reload);
    };
  }, [state.error, reload]);
  /** @param {T} data */
  const set = (data) => {
    round.current++; // What is still under way is older.
    setState({ data });
  };
  /** Show what a change answers, or what is there now if it was refused for that. @param {Promise<T | undefined>} change */
  const take = async (change) => {
    const answer = await change.catch(async (problem) => {
      if (problem instanceof Problem && [409, 412].includes(problem.status)) await reload();
      throw problem;
    });
    if (answer) set(answer);
    else await reload();
  };
  return { ...state, load, reload, set, take };
}

/** @param {unknown} error */
const isAway = (error) => error instanceof Unreachable || (error instanceof Problem && error.status === 503);

/** What a person is told. Bugs of ours go to the console too. @param {unknown} error */
export function said(error) {
  if (error instanceof Problem && error.status === 429 && error.retryAfter) {
    const when = fromNow(error.retryAfter);
    return interpolate(gettext("Too many attempts. Please try again %(when)s."), { when }, true);
  }
  if (error instanceof Problem) return error.errors.map(({ msg }) => msg).join(" ") || error.message;
  if (error instanceof Unreachable) return gettext("The school can't be reached. Check your connection.");
  console.error(error);
  return gettext("This did not work. Reload the page and try again.");
}

/**
 * Draw what `useLoad` brought, or why it isn't there.
 * @template T
 * @param {{ of: { data?: T, error?: unknown, reload: () => Promise<void> }, children: (data: T) => Children }} props
 */
export function Loaded({ of: { data, error, reload }, children }) {
  if (data !== undefined) return children(data);
  if (error === undefined) return html`<p class="loading" role="status">${gettext("Loading…")}</p>`;
  if (error instanceof Problem && error.status === 404) return html`<${NotFound} />`;
  return html`<div class="notice bad" role="alert">
    <p>${said(error)} ${isAway(error) && gettext("This page tries again by itself.")}</p>
    <button onClick=${reload}>${gettext("Try again")}</button>
  </div>`;
}

export const NotFound = () => html`<${Page} title=${gettext("There is nothing here")}>
  <p>${gettext("The page does not exist, or it is not for you.")} <a href="/">${gettext("To all courses")}</a></p>
<//>`;

/** A list and its page in the address. @param {{ of: { page: number, pages: number, count: number } }} props */
export function Pager({ of: { page, pages } }) {
  if (pages < 2) return null;
  /** @param {number} number @param {string} text @param {string} rel */
  const link = (number, text, rel) => {
    const url = new URL(location.href);
    url.searchParams.set("page", String(number));
    return html`<a href=${url.pathname + url.search} rel=${rel}>${text}</a>`;
  };
  return html`<nav class="pager" aria-label=${gettext("Pages")}>
    ${page > 1 ? link(page - 1, gettext("Previous page"), "prev") : html`<span></span>`}
    <span>${interpolate(gettext("%(page)s of %(pages)s"), { page, pages }, true)}</span>
    ${page < pages ? link(page + 1, gettext("Next page"), "next") : html`<span></span>`}
  </nav>`;
}

/**
 * A page of a list, or `none`.
 * @typedef {{ items: any[], count: number, page: number, pages: number }} Paged
 * @typedef {{ data?: Paged, error?: unknown, reload: () => Promise<void> }} LoadedPage
 * @param {{ of: LoadedPage, row: (item: any) => Children, none: Children, look?: "rows" | "cards" }} props
 */
export const Listed = ({ of, row, none, look = "rows" }) => html`<${Loaded} of=${of}>
  ${(/** @type {Paged} */ page) => html`
    ${page.count === 0 && html`<p role="status">${none}</p>`}
    <ul class=${look}>${page.items.map(row)}</ul>
    <${Pager} of=${page} />`}
<//>`;

/** @param {number} seconds */
export const pause = (seconds) => new Promise((done) => setTimeout(done, seconds * 1000));

// --- The frame of a screen -----------------------------------------------------------------------

let isFirstPage = true;

/**
 * A screen: its title is the window's too, and gets the focus after a link.
 * @param {{ title: string, children: Children }} props
 */
export function Page({ title, children }) {
  const { school } = useSession().meta;
  const heading = useRef(/** @type {HTMLHeadingElement | null} */ (null));
  useEffect(() => {
    document.title = `${title} · ${school.name}`;
  }, [title]);
  useEffect(() => {
    if (!isFirstPage) heading.current?.focus({ preventScroll: true });
    isFirstPage = false;
  }, []);
  return html`<h1 tabindex="-1" ref=${heading}>${title}</h1>
    ${children}`;
}

/** @param {string | null} name */
const firstLetter = (name) => [...(name ?? "")][0]?.toUpperCase();

/**
 * A picture beside what it shows, so that it needs no words; or a first letter.
 * @param {{ of: Schemas["PictureOut"] | null, title: string, class?: string }} props
 */
export const Thumbnail = ({ of, title, class: name = "thumbnail" }) =>
  of
    ? html`<img class=${name} src=${of.thumbnail} alt="" loading="lazy" />`
    : html`<b class=${name} aria-hidden="true">${firstLetter(title)}</b>`;

/**
 * A person's picture, or their first letter.
 * @param {{ avatar: Schemas["PictureOut"] | null, first_name: string | null, size?: "large" }} props
 */
export const Avatar = ({ avatar, first_name: name, size }) =>
  avatar
    ? html`<img class="avatar ${size}" src=${size ? avatar.url : avatar.thumbnail} alt="" loading="lazy" />`
    : html`<b class="avatar ${size}" aria-hidden="true">${firstLetter(name)}</b>`;

/** What the server has rendered and sanitised. Long lines of code are scrolled. @param {{ of: string }} props */
export function Prose({ of }) {
  const body = useRef(/** @type {HTMLDivElement | null} */ (null));
  useEffect(() => {
    for (const code of body.current?.querySelectorAll("pre") ?? []) code.tabIndex = 0;
  }, [of]);
  return html`<div class="prose" ref=${body} dangerouslySetInnerHTML=${{ __html: of }}></div>`;
}

// --- Things that people do -----------------------------------------------------------------------

/** @type {(entry: { text: string, isBad: boolean }) => void} */
let tell = () => {};

/** Say it at the edge of the screen, and to screen readers. @param {string} text @param {{ isBad?: boolean }} how */
export const notify = (text, { isBad = false } = {}) => tell({ text, isBad });

export function Notices() {
  const [entry, setEntry] = useState(/** @type {{ text: string, isBad: boolean } | null} */ (null));
  useEffect(() => {
    tell = setEntry;
  }, []);
  useEffect(() => {
    const timer = entry && setTimeout(() => setEntry(null), entry.isBad ? 15_000 : 5000);
    return () => clearTimeout(timer ?? undefined);
  }, [entry]);
  return html`<div class="notices" role="status" aria-live="polite">
    ${entry && html`<p class=${entry.isBad ? "notice bad" : "notice"}>${entry.text}</p>`}
  </div>`;
}

/** What went wrong is said. @param {Promise<unknown>} work */
export const attempt = (work) => work.catch((error) => notify(said(error), { isBad: true }));

/**
 * A button that does something: once at a time, and what went wrong is said.
 * @typedef {{ do: () => Promise<unknown>, ask?: string, disabled?: boolean, children: Children }} ActionProps
 * @param {ActionProps & Record<string, unknown>} props
 */
export function Action({ do: act, ask: question, children, disabled, ...others }) {
  const [isBusy, setBusy] = useState(false);
  const press = async () => {
    if (isBusy) return;
    if (question && !(await ask(question, { yes: String(children), look: String(others.class) }))) return;
    setBusy(true);
    await attempt(act());
    setBusy(false);
  };
  // Not `disabled` meanwhile: the focus would be lost.
  const state = { disabled, "aria-busy": isBusy };
  return html`<button type="button" ...${others} ...${state} onClick=${press}>${children}</button>`;
}

/** @type {(question: { text: string, yes: string, look: string, answer: (isYes: boolean) => void }) => void} */
let show = () => {};

/** Ask before something that can't be undone. @param {string} text @param {{ yes: string, look?: string }} button */
export const ask = (text, { yes, look = "" }) =>
  new Promise((/** @type {(isYes: boolean) => void} */ answer) => show({ text, yes, look, answer }));

export function Question() {
  const [question, setQuestion] = useState(/** @type {Parameters<typeof show>[0] | null} */ (null));
  const dialog = useRef(/** @type {HTMLDialogElement | null} */ (null));
  useEffect(() => {
    show = setQuestion;
  }, []);
  useEffect(() => {
    if (!question || !dialog.current) return;
    dialog.current.returnValue = ""; // Of the last one: Escape keeps it in Firefox and Safari.
    dialog.current.showModal();
  }, [question]);
  const close = () => {
    question?.answer(dialog.current?.returnValue === "yes");
    setQuestion(null);
  };
  return html`<dialog ref=${dialog} onClose=${close} aria-labelledby="question">
    ${
      question &&
      html`<form method="dialog">
      <p id="question">${question.text}</p>
      <p class="buttons">
        <button class=${question.look === "danger" ? "danger" : "main"} value="yes">${question.yes}</button>
        <button value="no">${gettext("Cancel")}</button>
      </p>
    </form>`
    }
  </dialog>`;
}

// --- Formats -------------------------------------------------------------------------------------

/** @param {string} amount a decimal string @param {string} currency */
export const money = (amount, currency) => shown(amount, currency, language);

/** @param {string} price @param {string} currency */
export const priceOf = (price, currency) => Number(price) ? money(price, currency) : gettext("Free");

/** In the zone of the reader. @param {string} time @param {{ withTime?: boolean }} options */
export function day(time, { withTime = false } = {}) {
  const format = new Intl.DateTimeFormat(language, {
    dateStyle: "long",
    timeStyle: withTime ? "short" : undefined,
  });
  return html`<time datetime=${time}>${format.format(new Date(time))}</time>`;
}

/** "in 5 minutes" @param {number} seconds */
export function fromNow(seconds) {
  const format = new Intl.RelativeTimeFormat(language);
  if (seconds < 120) return format.format(Math.ceil(seconds), "second");
  if (seconds < 7200) return format.format(Math.ceil(seconds / 60), "minute");
  return format.format(Math.ceil(seconds / 3600), "hour");
}
