// Forms, and what the API says of their fields.
import { createContext } from "preact";
import { useContext, useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";

import { navigate } from "./address.js";
import { Problem } from "./client.js";
import { useSession } from "./session.js";
import { attempt, html, said } from "./ui.js";

/** @typedef {import("preact").ComponentChildren} Children */

const FormContext = createContext(/** @type {Problem | null} */ (null));

/**
 * Sends its fields as `{name: value}`: lines trimmed, empty ones null unless required, boxes as booleans. What the API
 * says of a field stands at the field, the rest above the button, with what to do about it (`help`). With `done` it is
 * sent once, and what that returns takes its place.
 * @typedef {{ submit: string, children?: Children, onInput?: (values: any) => void }} FormProps
 * @typedef {{ help?: (problem: Problem) => Children, done?: (values: any) => Children }} Answers
 * @param {FormProps & Answers & { send: (values: any, form: HTMLFormElement) => Promise<unknown> }} props
 */
export function Form({ send, submit, children, onInput, help, done }) {
  const [error, setError] = useState(/** @type {unknown} */ (null));
  const [answer, setAnswer] = useState(/** @type {Children} */ (null));
  const [isBusy, setBusy] = useState(false);
  const form = useRef(/** @type {any} */ (null));
  /** @param {Event} event */
  const onSubmit = async (event) => {
    event.preventDefault();
    setBusy(true);
    const values = valuesOf(form.current);
    await send(values, form.current)
      .then(() => setAnswer(done?.(values)))
      .then(() => setError(null), setError);
    setBusy(false);
  };
  useEffect(() => {
    if (error) form.current?.querySelector("[aria-invalid=true]")?.focus();
  }, [error]);
  if (answer) return html`<p class="notice" role="status">${answer}</p>`;
  const told = () => onInput?.(valuesOf(form.current));
  const problem = error instanceof Problem ? error : null;
  return html`<form ref=${form} onSubmit=${onSubmit} onInput=${told} novalidate>
    <${FormContext.Provider} value=${problem}>${children}<//>
    ${
      error &&
      !placed(problem, form.current) &&
      html`<div class="notice bad" role="alert">${said(error)} ${problem && help?.(problem)}</div>`
    }
    <p class="buttons"><button class="main" disabled=${isBusy} aria-busy=${isBusy}>${submit}</button></p>
  </form>`;
}

/** Whether each error has a field to stand at. @param {Problem | null} problem @param {HTMLFormElement | null} form */
const placed = (problem, form) =>
  problem &&
  problem.errors.length > 0 &&
  problem.errors.every(({ loc }) => form?.elements.namedItem(String(loc.at(-1))));

/** @param {HTMLFormElement} form @returns {Record<string, string | boolean | null>} */
function valuesOf(form) {
  const fields = /** @type {HTMLInputElement[]} */ ([...form.elements]).filter(({ name }) => name);
  return Object.fromEntries(
    fields.map(({ name, type, checked, value, autocomplete, required }) => {
      if (type === "checkbox") return [name, checked];
      const isKept = type === "textarea" || autocomplete?.endsWith("password");
      return [name, (isKept ? value : value.trim()) || (required ? "" : null)];
    }),
  );
}

/**
 * A field with its label, a hint, and what the API says of it.
 * @typedef {{ name: string, label: string, hint?: Children, as?: string, type?: string, value?: unknown }} FieldProps
 * @param {FieldProps & { options?: [string, string][] } & Record<string, unknown>} props
 */
export function Field({ name, label, hint, as = "input", type = "text", value, options, ...others }) {
  const problem = useContext(FormContext);
  const error = problem?.errors.find(({ loc }) => loc.at(-1) === name)?.msg;
  const described = [hint && `${name}-hint`, error && `${name}-error`].filter(Boolean).join(" ");
  const given = {
    id: name,
    name,
    "aria-invalid": Boolean(error),
    "aria-describedby": described || undefined,
    ...others,
  };
  const told = html`${hint && html`<small id="${name}-hint">${hint}</small>`}
    ${error && html`<small id="${name}-error" class="error">${error}</small>`}`;
  if (type === "checkbox") {
    return html`<div class="field check">
      <label><input type="checkbox" defaultChecked=${value} ...${given} /> ${label}</label>${told}
    </div>`;
  }
  const control = options
    ? html`<select ...${given}>
        ${options.map(([code, text]) => html`<option value=${code} selected=${code === value}>${text}</option>`)}
      </select>`
    : html`<${as} type=${as === "input" ? type : undefined} defaultValue=${value ?? ""} ...${given} />`;
  return html`<div class="field"><label for=${name}>${label}</label>${control}${told}</div>`;
}

/** @param {FieldProps & { autocomplete: "current-password" | "new-password" }} props */
export function PasswordField(props) {
  const [isShown, show] = useState(false);
  const type = isShown ? "text" : "password";
  return html`<${Field} ...${props} type=${type} required autocapitalize="none" spellcheck=${false} />
    <button type="button" class="plain reveal" onClick=${() => show(!isShown)}>
      ${isShown ? gettext("Hide the password") : gettext("Show the password")}
    </button>`;
}

/**
 * What a list is narrowed down to and how it is ordered: it stands in the address.
 * @typedef {Record<string, [label: string, options: Record<string, string>]>} Choices texts by values
 * @param {{ query: Record<string, string>, search?: string, choices: Choices }} props `search`: the field's name
 */
export function Filters({ query, search, choices }) {
  const input = useRef(/** @type {HTMLInputElement | null} */ (null));
  // Not by each drawing: somebody types while the list is loaded.
  useLayoutEffect(() => {
    if (input.current) input.current.value = query.search ?? "";
  }, [query.search]);
  /** @param {Event} event */
  const show = (event) => {
    event.preventDefault();
    const values = Object.entries(valuesOf(/** @type {HTMLFormElement} */ (event.currentTarget)));
    const given = values.flatMap(([name, value]) => (value ? [[name, String(value)]] : []));
    navigate(`${location.pathname}?${new URLSearchParams(given)}`);
  };
  /** @param {Event} event */
  const choose = ({ currentTarget }) =>
    /** @type {HTMLSelectElement} */ (currentTarget).form?.requestSubmit();
  return html`<form class="search" role="search" onSubmit=${show}>
    ${
      search &&
      html`<input type="search" name="search" aria-label=${search} placeholder=${search} ref=${input} />
      <button>${gettext("Search")}</button>`
    }
    ${Object.entries(choices).map(([name, [label, options]]) => {
      const texts = Object.entries(options);
      return html`<select name=${name} aria-label=${label} value=${query[name]} onChange=${choose}>
        ${texts.map(([value, text]) => html`<option value=${value}>${text}</option>`)}
      </select>`;
    })}
  </form>`;
}

/**
 * Choose a picture; photographs are made as small as the school keeps them.
 * @param {{ label: string, send: (form: FormData) => Promise<unknown> }} props
 */
export function PictureField({ label, send }) {
  const { pictures } = useSession().meta;
  const input = useRef(/** @type {HTMLInputElement | null} */ (null));
  const [isBusy, setBusy] = useState(false);
  const take = async () => {
    const file = input.current?.files?.[0];
    if (!file) return;
    setBusy(true);
    const form = new FormData();
    const upload = async () => form.append("file", await shrunk(file, pictures.max_bytes), file.name);
    await attempt(upload().then(() => send(form)));
    if (input.current) input.current.value = "";
    setBusy(false);
  };
  return html`<label class="button" aria-busy=${isBusy}>${label}
    <input type="file" ref=${input} accept=${pictures.formats.join()} disabled=${isBusy} onChange=${take} />
  </label>`;
}

const LONG_SIDE = 1600;

/**
 * The file, or a smaller one if it is larger than the API takes or the school keeps.
 * @param {File} file
 * @param {number} maxBytes
 */
async function shrunk(file, maxBytes) {
  const bitmap = await createImageBitmap(file).catch(() => null);
  const scale = bitmap ? LONG_SIDE / Math.max(bitmap.width, bitmap.height) : 1;
  if (!bitmap || (scale >= 1 && file.size <= maxBytes)) return file; // what it can't read the API explains
  const canvas = document.createElement("canvas");
  canvas.width = Math.round(bitmap.width * Math.min(scale, 1));
  canvas.height = Math.round(bitmap.height * Math.min(scale, 1));
  canvas.getContext("2d")?.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  const small = await new Promise((done) =>
    canvas.toBlob(done, file.type === "image/png" ? "image/png" : "image/jpeg", 0.85),
  );
  return small instanceof Blob && small.size < file.size ? small : file;
}
