// What is entered in a form of the admin and not saved stays in this browser: after a log-in that came
// between, a closed tab or a failure it is there again. It is kept by person and address, and erased once
// the server says by a cookie that it took what was sent, and by the log-out.

const ROOT = "parta.entered.";
const KEPT_FOR = 7 * 24 * 3600 * 1000; // milliseconds
const PAUSE = 300; // milliseconds without a key
const TAKEN = "parta_taken";
// What is secret, or is to be typed anew each time.
const UNKEPT =
  "[type=hidden], [type=file], [type=password], [type=submit], [autocomplete$=password], [autocomplete=one-time-code], [name=typed]";
const words = document.getElementById("parta-entered").dataset;
const own = `${ROOT}${words.person}:`;

// --- What differs: lists of values, by the name of the field ------------------------------------------

const isSame = (some = [], others = []) => JSON.stringify(some) === JSON.stringify(others);

const changed = (values, base) => Object.keys(values).filter((name) => !isSame(values[name], base[name]));

/** Which fields have to be filled anew, and in which of them something else was saved meanwhile. */
function compare({ typed, base }, now) {
  const missing = changed(typed, now);
  return { missing, clashes: missing.filter((name) => name in now && !isSame(now[name], base[name])) };
}

// --- The form -----------------------------------------------------------------------------------------

const isChoice = (control) => ["checkbox", "radio"].includes(control.type);

function controlsOf(form, name) {
  const isKept = (control) => "kept" in control.dataset || !control.matches(UNKEPT);
  return [...form.elements].filter(
    (one) => one.matches("input, select, textarea") && one.name && isKept(one) && (!name || one.name === name),
  );
}

function typedIn(control) {
  if (control.options) return [...control.selectedOptions].map(({ value }) => value);
  if (isChoice(control)) return control.checked ? [control.value] : [];
  return "kept" in control.dataset ? [new FormData(control.form).get(control.name)] : [control.value];
}

/** What the page came with. */
function loadedIn(control) {
  if (control.options) {
    const chosen = [...control.options].filter((option) => option.defaultSelected);
    // What is searched gets its options as they are chosen.
    const isSearched = control.matches(".admin-autocomplete");
    const first = [...control.options].slice(0, control.multiple ? 0 : 1).filter(({ value }) => !isSearched || !value);
    return (chosen.length ? chosen : first).map(({ value }) => value);
  }
  if (isChoice(control)) return control.defaultChecked ? [control.value] : [];
  return [control.defaultValue];
}

function read(form, valuesOf) {
  const found = {};
  for (const control of controlsOf(form)) (found[control.name] ??= []).push(...valuesOf(control));
  return found;
}

function labelsOf(form) {
  const selects = controlsOf(form).filter((control) => control.options);
  return Object.fromEntries(
    selects.flatMap((one) => [...one.selectedOptions].map(({ value, text }) => [`${one.name}=${value}`, text])),
  );
}

function fill(form, name, values, labels) {
  for (const [place, control] of controlsOf(form, name).entries()) {
    if (control.options) {
      const known = new Set([...control.options].map(({ value }) => value));
      for (const value of values) {
        if (!known.has(value)) control.add(new Option(labels[`${name}=${value}`] ?? value, value));
      }
      for (const option of control.options) option.selected = values.includes(option.value);
    } else if (isChoice(control)) control.checked = values.includes(control.value);
    else if (!("kept" in control.dataset)) control.value = values[place] ?? "";
    for (const kind of ["input", "change"]) control.dispatchEvent(new Event(kind, { bubbles: true }));
  }
}

function inWords(form, name, values) {
  const [control] = controlsOf(form, name);
  if (control.options) {
    return [...control.options].filter(({ value }) => values.includes(value)).map(({ text }) => text).join(", ");
  }
  return isChoice(control) && values.length ? "✓" : values.join(", ");
}

// --- The browser's store ------------------------------------------------------------------------------

function store(slot, draft) {
  try {
    if (draft) localStorage.setItem(slot, JSON.stringify(draft));
    else localStorage.removeItem(slot);
  } catch {
    // No room, or forbidden: who leaves is asked all the same.
  }
}

function stored(slot) {
  try {
    return JSON.parse(localStorage.getItem(slot));
  } catch {
    return null;
  }
}

function erase(isDone) {
  try {
    for (const slot of Object.keys(localStorage)) if (slot.startsWith(ROOT) && isDone(slot)) localStorage.removeItem(slot);
  } catch {
    // It is forbidden, so nothing is there.
  }
}

function addressOf({ pathname, search }) {
  const given = new URLSearchParams(search);
  given.delete("_changelist_filters");
  return given.size ? `${pathname}?${given}` : pathname;
}

/** Questions about chosen rows have the address of their list. */
function slotOf(form, place) {
  const chosen = form.querySelectorAll("[type=hidden]:is([name=action], [name=_selected_action])");
  return `${own}${addressOf(location)}#${[place, ...[...chosen].map(({ value }) => value)]}`;
}

function forget() {
  const taken = document.cookie.split("; ").find((cookie) => cookie.startsWith(`${TAKEN}=`));
  if (taken) {
    const address = addressOf(new URL(decodeURIComponent(taken.slice(TAKEN.length + 1)), location.origin));
    erase((slot) => slot.startsWith(`${own}${address}#`));
    document.cookie = `${TAKEN}=; path=/; max-age=0; samesite=lax`;
  }
  erase((slot) => !(Date.parse(stored(slot)?.at) > Date.now() - KEPT_FOR));
}

// --- On the page --------------------------------------------------------------------------------------

function element(tag, properties, ...parts) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...parts);
  return made;
}

function discard(slot) {
  store(slot, null);
  // What is thrown away on purpose is not asked about.
  window.addEventListener("beforeunload", (event) => event.stopImmediatePropagation(), { capture: true });
  location.assign(location.pathname + location.search);
}

function tell(form, slot, draft, isChanged, clashes, left) {
  const at = new Date(draft.at);
  const dateStyle = at.toDateString() === new Date().toDateString() ? undefined : "medium";
  const time = new Intl.DateTimeFormat(document.documentElement.lang, { dateStyle, timeStyle: "short" }).format(at);
  const box = element("div", { className: "parta-card parta-attention parta-restored" });
  const said = [words.restored.replace("TIME", time)];
  if (isChanged) said.push(words.changed);
  if (clashes) said.push(words.beside);
  if (left.length) said.push(words.left);
  const texts = left.map((name) => element("li", { className: "parta-saved" }, draft.typed[name].join(", ")));
  const button = element("button", { type: "button", className: "text-link" }, words.discard);
  button.addEventListener("click", () => discard(slot));
  box.append(element("div", {}, element("p", {}, said.join(" ")), element("ul", {}, ...texts)), button);
  const status = element("div", {});
  status.setAttribute("role", "status");
  form.before(status);
  status.append(box);
}

async function restore(form, slot, draft) {
  const absent = Object.keys(draft.typed).filter((name) => !controlsOf(form, name).length);
  const waits = [];
  // What opens parts of the form only when somebody asks for them, opens these.
  form.dispatchEvent(new CustomEvent("parta:restore", { detail: { absent, typed: draft.typed, waits } }));
  await Promise.all(waits);
  const now = read(form, loadedIn);
  const { missing, clashes } = compare(draft, now);
  const left = absent.filter((name) => !(name in now));
  for (const name of missing) {
    fill(form, name, draft.typed[name], draft.labels);
    const control = controlsOf(form, name).at(-1);
    if (!clashes.includes(name) || control.type === "hidden") continue;
    const text = `${words.saved} ${inWords(form, name, now[name]) || "—"}`;
    control.parentElement.append(element("span", { className: "parta-saved" }, text));
  }
  const isChanged = clashes.length > 0 || draft.version !== versionOf(form);
  tell(form, slot, draft, isChanged, clashes.length, left);
}

const versionOf = (form) => form.querySelector("[name=seen_version]")?.value ?? "";

async function keep(form, place) {
  const slot = slotOf(form, place);
  const isAnswer = words.method === "POST";
  let before = stored(slot);
  if (before && !isAnswer) {
    if (changed(before.typed, read(form, typedIn)).length) await restore(form, slot, before);
    else store(slot, (before = null));
  }
  let timer = null;

  const note = () => {
    clearTimeout(timer);
    timer = null;
    const typed = read(form, typedIn);
    // The page that refuses a form comes with what was entered, which is not saved yet.
    const base = { ...read(form, loadedIn), ...(isAnswer ? before?.base : null) };
    for (const name of Object.keys(before?.typed ?? {})) {
      if (!(name in typed)) [typed[name], base[name]] = [before.typed[name], before.base[name]];
    }
    const only = (values) => Object.fromEntries(changed(typed, base).map((name) => [name, values[name]]));
    const isDirty = changed(typed, base).length > 0;
    const rest = { labels: labelsOf(form), version: versionOf(form), at: new Date().toISOString() };
    store(slot, isDirty ? { typed: only(typed), base: only(base), ...rest } : null);
  };
  const noteSoon = () => {
    clearTimeout(timer);
    timer = setTimeout(note, PAUSE);
  };
  // An answer has what was entered, less what the server took or refused for good.
  if (before && isAnswer) note();
  for (const kind of ["input", "change"]) form.addEventListener(kind, noteSoon);
  // What is chosen from a list that is searched is known to jQuery only.
  window.django?.jQuery(form).on("change", "select", noteSoon);
  form.addEventListener("submit", note);
  window.addEventListener("pagehide", () => timer && note());
}

document.addEventListener("submit", ({ target }) => {
  if (!target.matches("form[action$='/logout/']")) return;
  // Last of all, after what was typed just now is kept.
  window.addEventListener("pagehide", () => erase((slot) => slot.startsWith(own)));
});
document.addEventListener("DOMContentLoaded", () => {
  forget();
  const forms = document.querySelectorAll("#content form[method=post]:not(#changelist-form, [data-unkept])");
  for (const [place, form] of forms.entries()) keep(form, place);
});
