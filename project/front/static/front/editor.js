// The texts of a course or lesson. What is typed is never lost, and replaces nothing that its author has not seen.
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";

import { Problem } from "./client.js";
import { useSession } from "./session.js";
import { useGuard } from "./address.js";
import { Difference } from "./differences.js";
import { Field, Form, PictureField } from "./forms.js";
import { Action, Prose, Thumbnail, attempt, day, html, notify } from "./ui.js";

/** @typedef {Record<string, string | boolean | null>} Values as a form has them */
/** @typedef {{ typed: Values, base: Values, at: string, earlier: Draft | null }} Draft `base`: what was there then */

/** @typedef {Record<string, { label: string, options?: [string, string][] } & Record<string, unknown>>} Fields */

// prettier-ignore
/** @type {Fields} */
export const FIELDS = {
  title: { label: gettext("Title") },
  video_url: { label: gettext("Video"), hint: gettext("A video or playlist on YouTube.") },
  description: { label: gettext("Description"), as: "textarea", rows: 12,
    hint: gettext("In Markdown. Links may lead to YouTube only.") },
  price: { label: gettext("Price"), inputmode: "decimal",
    hint: gettext("0: free. A lesson without a price is not sold on its own.") },
  position: { label: gettext("Number in the course"), type: "number", min: 1, hint: gettext("Empty: the last one.") },
  is_preview: { label: gettext("Open to everybody"),
    hint: gettext("Whoever sees the course may take this lesson without having bought anything.") },
  is_published: { label: gettext("Published"), hint: gettext("A draft is seen by its author and by moderators.") },
};

/** @param {Values} values @param {Values} others */
const changed = (values, others) => Object.keys(others).filter((name) => values[name] !== others[name]);

/** @param {Values} values @param {string[]} names */
const only = (values, names) => Object.fromEntries(names.map((name) => [name, values[name] ?? null]));

/** What the form has of an answer. @param {Record<string, any>} material @param {Fields} fields @returns {Values} */
function shown(material, fields) {
  const names = Object.keys(fields).filter((name) => name in material);
  return Object.fromEntries(names.map((name) => [name, asTyped(name, material[name])]));
}

/** People count from one. @param {string} name @param {unknown} value */
function asTyped(name, value) {
  if (typeof value === "boolean") return value;
  if (name === "position" && typeof value === "number") return String(value + 1);
  return String(value ?? "").replace(/\r\n?/g, "\n") || null;
}

// Whatever is greater than the last position is that.
const LAST = 2 ** 31 - 1;

/** And they write money with spaces and a comma. @param {string} name @param {Values[string]} value */
function asSent(name, value) {
  if (name === "price" && value) return String(value).replace(/[\s\p{Sc}]/gu, "").replace(",", ".");
  if (name === "position") return value ? Number(value) - 1 : LAST;
  return value ?? (name === "title" || name === "description" ? "" : null);
}

/** @param {unknown} value @returns {string} */
export const inWords = (value) =>
  typeof value === "boolean" ? (value ? gettext("yes") : gettext("no")) : String(value ?? "");

/** @param {string} slot @param {Draft | null} draft */
function store(slot, draft) {
  try {
    if (draft) localStorage.setItem(slot, JSON.stringify(draft));
    else localStorage.removeItem(slot);
  } catch {
    // No room, or forbidden: who leaves is asked all the same.
  }
}

/** @param {string} slot @returns {Draft | null} */
function stored(slot) {
  try {
    return JSON.parse(localStorage.getItem(slot) ?? "null");
  } catch {
    return null;
  }
}

/**
 * A form of texts that others may be changing, too.
 * @template {object} M
 * @param {object} props
 * @param {M} props.material as the API answered it
 * @param {string} props.slot where the browser keeps what is not saved
 * @param {(changes: any, upon: M, notify: boolean) => Promise<M>} props.save
 * @param {{ load: () => Promise<M>, set: (answer: M) => void }} props.of
 * @param {Fields} [props.fields]
 */
export function Editor({ material, slot, save, of: { load, set }, fields = FIELDS }) {
  const own = `parta.draft.${useSession().profile?.id}.${slot}`;
  const now = shown(material, fields);
  const base = useRef(now);
  const [typed, setTyped] = useState(now);
  const [draft, setDraft] = useState(() => stored(own));
  const [both, setBoth] = useState(/** @type {string[]} */ ([]));
  const isDirty = changed(typed, base.current).length > 0;
  useGuard(isDirty);
  useEffect(() => {
    const at = new Date().toISOString();
    store(own, isDirty ? { typed, base: base.current, at, earlier: draft } : draft);
  }, [typed, draft, isDirty]);
  // Before anybody can type on: that would be put back.
  useLayoutEffect(() => void rebase(typed, base.current, now), [material]);

  /** @param {Values} values */
  const fill = (values) => {
    for (const [name, value] of Object.entries(values)) {
      const control = /** @type {HTMLInputElement} */ (document.getElementById(name));
      if (typeof value === "boolean") control.checked = value;
      else if (control.value !== (value ?? "")) control.value = value ?? "";
    }
    setTyped(values);
  };
  /** Bring what was typed upon one version to another. @param {Values} mine @param {Values} from @param {Values} to */
  const rebase = (mine, from, to, others = to) => {
    const names = changed(mine, from);
    const clashes = names.filter((name) => to[name] !== from[name] && to[name] !== mine[name]);
    const values = { ...others, ...only(mine, names) };
    base.current = to;
    fill(values);
    setBoth((before) => [...before, ...clashes]);
    return { values, clashes };
  };
  /** @param {Values} given @param {M} upon @returns {Promise<void>} */
  const send = async ({ minor = false, ...given }, upon) => {
    const from = shown(upon, fields);
    const changes = changed(given, from).map((name) => [name, asSent(name, given[name] ?? null)]);
    try {
      const answer = await save(Object.fromEntries(changes), upon, !minor);
      base.current = given; // What the API made of it is no change by somebody else.
      store(own, draft);
      setBoth([]);
      notify(gettext("Saved."));
      set(answer);
    } catch (problem) {
      if (!(problem instanceof Problem && problem.code === "changed_meanwhile")) throw problem;
      const answer = await load();
      const { values, clashes } = rebase(given, from, shown(answer, fields));
      set(answer);
      if (!clashes.length) await send({ ...values, minor }, answer);
    }
  };
  const goOn = async () => {
    if (draft) rebase(draft.typed, draft.base, now, typed);
    await drop();
  };
  const drop = async () => setDraft(draft?.earlier ?? null);
  const isOffered = draft && changed(draft.typed, draft.base).some((name) => draft.typed[name] !== now[name]);
  const clashes = Object.keys(now).filter((name) => both.includes(name) && typed[name] !== now[name]);
  /** @param {string} name @param {Values} values */
  const words = (name, values) =>
    inWords(fields[name]?.options?.find(([code]) => code === values[name])?.[1] ?? values[name]);
  /** @param {string} name */
  const field = (name) => html`<${Field} key=${name} name=${name} value=${now[name]} ...${fields[name]}
      type=${typeof now[name] === "boolean" ? "checkbox" : fields[name]?.type} />
    ${name === "description" && html`<${Preview} text=${String(typed.description ?? "")} />`}`;
  /** @param {string} name */
  const clash = (name) => html`<b>${fields[name]?.label}</b>
    <p class="paper"><${Difference} before=${words(name, now)} after=${words(name, typed)} /></p>
    <${Action} do=${async () => fill({ ...typed, ...only(now, [name]) })}>${gettext("Take the other version")}<//>`;
  const minor = gettext("Minor edit: nobody will be notified of it.");
  const question = gettext("What you typed then will be gone.");
  const offer = html`<div class="notice" role="status">
    <p>${gettext("Not saved, but kept in this browser:")} ${draft && day(draft.at, { withTime: true })}</p>
    <p class="buttons">
      <${Action} do=${goOn}>${gettext("Go on with it")}<//>
      <${Action} class="plain" ask=${question} do=${drop}>${gettext("Drop it")}<//>
    </p>
  </div>`;
  const warning = html`<div class="notice bad" role="alert">
    <p>${gettext("This was changed elsewhere meanwhile. If you save now, what you typed replaces that:")}</p>
    ${clashes.map(clash)}
  </div>`;
  return html`<div>
    ${isOffered && offer}
    <${Form} send=${(/** @type {Values} */ values) => send(values, material)} submit=${gettext("Save")}
      onInput=${(/** @type {Values} */ { minor, ...values }) => setTyped(values)}>
      ${Object.keys(now).map(field)}
      ${fields === FIELDS && html`<${Field} name="minor" type="checkbox" label=${minor} />`}
      ${clashes.length > 0 && warning}
    <//>
  </div>`;
}

// What the server leaves of links, but for pictures of ours: nothing is loaded for a preview.
const ALLOWED = /^(https?:\/\/([\w-]+\.)*(youtube\.com|youtu\.be)(\/|$)|\/(?!\/)|#)/i;

/** @param {{ text: string }} props */
function Preview({ text }) {
  const [markdown, setMarkdown] = useState(/** @type {import("markdown-it").default | null} */ (null));
  const open = async () => {
    const { default: MarkdownIt } = await import("markdown-it");
    const made = new MarkdownIt("commonmark", { html: false }).disable("image");
    made.validateLink = (address) => ALLOWED.test(address);
    setMarkdown(made);
  };
  return html`<details class="preview" onToggle=${() => attempt(open())}>
    <summary>${gettext("What learners will see")}</summary>
    <div class="paper"><${Prose} of=${markdown?.render(text) ?? ""} /></div>
  </details>`;
}

/**
 * @typedef {import("./types").Schemas["PictureOut"]} PictureOut
 * @param {{ of: PictureOut | null, put: (form: FormData) => Promise<unknown>, remove: () => Promise<unknown> }} props
 */
export const Picture = ({ of, put, remove }) => html`<aside>
  <${Thumbnail} of=${of} title="" />
  <p class="buttons">
    <${PictureField} label=${of ? gettext("Another picture") : gettext("Choose a picture")} send=${put} />
    ${of && html`<${Action} ask=${gettext("The picture will be removed.")} do=${remove}>${gettext("Remove")}<//>`}
  </p>
</aside>`;
