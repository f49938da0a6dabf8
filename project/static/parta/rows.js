// The page of a course: lessons are opened, moved, added and deleted in their rows. Of the rows those
// that somebody edited are sent, and the order of all.

const section = document.getElementById("parta-rows");
const list = section.querySelector("ol");
const form = section.closest("form");
const words = section.dataset;
// So many rows fit into one request, with the longest of texts in each.
const MOST = 40;
// Of the names of a row's fields.
const KEY = /^(?:initial-)?((?:lesson|new)-\d+)-/;
const STEPS = { ArrowUp: -1, ArrowDown: 1, PageUp: -10, PageDown: 10, Home: -Infinity, End: Infinity };
let isChanged = Boolean(document.querySelector(".parta-faults"));

const rowOf = (element) => [...list.children].find((row) => row.contains(element));
const title = (row) => row.querySelector(".parta-row-title");
const body = (row) => row.querySelector(".parta-row-form");
const isEdited = (row) => "edited" in row.dataset;

function say(text) {
  document.getElementById("parta-said").textContent = text;
}

function tell(row, text) {
  row.querySelector(".parta-bad")?.remove();
  if (!text) return;
  const bad = Object.assign(document.createElement("p"), { className: "parta-bad", textContent: text });
  bad.setAttribute("role", "alert");
  row.append(bad);
}

function note(row) {
  isChanged = true;
  if (!row || isEdited(row)) return;
  row.dataset.edited = "";
  const mark = Object.assign(document.createElement("span"), { className: "parta-edited" });
  mark.textContent = words.edited;
  row.querySelector(".parta-marks").prepend(mark);
}

async function load(row) {
  const loaded = [...list.children].filter(body);
  if (loaded.length >= MOST) {
    for (const other of loaded) if (!isEdited(other)) fold(other, true).remove();
  }
  if (loaded.filter(body).length >= MOST) return tell(row, words.full);
  let html = "";
  try {
    const response = await fetch(words.url.replace("KEY", row.id));
    // Whoever was logged out is led to the log-in.
    if (response.ok && !response.redirected) html = await response.text();
  } catch {
    // The server is out of reach.
  }
  tell(row, html ? "" : words.failed);
  if (html && !body(row)) row.insertAdjacentHTML("beforeend", html);
}

function fold(row, isFolded) {
  title(row).setAttribute("aria-expanded", String(!isFolded));
  row.classList.toggle("is-open", !isFolded);
  const part = body(row);
  part.hidden = isFolded;
  return part;
}

async function open(row) {
  if (!body(row)) await load(row);
  if (body(row)) fold(row, false);
}

function equip(row) {
  const handle = row.querySelector(".parta-handle");
  if (!handle) return;
  for (const control of [handle, title(row)]) {
    control.setAttribute("role", "button");
    control.tabIndex = 0;
  }
  handle.title = words.move;
  handle.setAttribute("aria-label", `${words.move}: ${title(row).textContent}`);
  if (body(row)) fold(row, false);
  else title(row).setAttribute("aria-expanded", "false");
}

function move(row, step) {
  const others = [...list.children].filter((one) => one !== row);
  const place = [...list.children].indexOf(row) + step;
  if (place >= others.length) list.append(row);
  else others[Math.max(place, 0)].before(row);
  moved(row);
  row.querySelector(".parta-handle").focus();
}

function moved(row) {
  note();
  form.dispatchEvent(new Event("change"));
  const rows = [...list.children];
  say(words.place.replace("NUMBER", rows.indexOf(row) + 1).replace("ALL", rows.length));
}

function append(key) {
  const row = section.querySelector("template").content.firstElementChild.cloneNode(true);
  row.id = key;
  list.append(row);
  equip(row);
  return row;
}

async function add() {
  const numbers = [...list.children].map(({ id }) => Number(id.replace(/^lesson-.*|^new-/, "")));
  const row = append(`new-${Math.max(0, ...numbers) + 1}`);
  await open(row);
  body(row)?.querySelector("input:not([type=hidden])").focus();
}

/** Have the rows there, and open, whose fields were filled in before (drafts.js), all in their order. */
async function restore({ absent, typed }) {
  const keys = (typed.lesson_order?.[0] ?? "").split(",");
  for (const key of keys) {
    if (!key.startsWith("new-") || document.getElementById(key)) continue;
    if (document.getElementById("parta-add")) append(key);
  }
  const opened = new Set(absent.map((name) => KEY.exec(name)?.[1]));
  for (const row of [...list.children].filter(({ id }) => opened.has(id))) await open(row);
  if (!typed.lesson_order) return;
  const others = [...list.children].filter(({ id }) => !keys.includes(id));
  list.append(...keys.map((key) => document.getElementById(key)).filter(Boolean), ...others);
  note();
}

function remove(row) {
  const next = row.nextElementSibling ?? row.previousElementSibling;
  row.remove();
  (next ? title(next) : document.getElementById("parta-add")).focus();
  form.dispatchEvent(new Event("change"));
}

list.addEventListener("click", (event) => {
  const row = rowOf(event.target);
  const opener = event.target.closest("[aria-expanded]");
  if (event.target.closest("button.parta-remove")) remove(row);
  if (opener !== title(row) || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  if (row.classList.contains("is-open")) fold(row, true);
  else open(row);
});
list.addEventListener("keydown", (event) => {
  const row = rowOf(event.target);
  if (event.target.matches(".parta-handle") && event.key in STEPS) {
    event.preventDefault();
    move(row, STEPS[event.key]);
  } else if (event.target.matches("a[aria-expanded]") && event.key === " ") {
    event.preventDefault();
    event.target.click();
  } else if (event.target.matches("input:not([type=file])") && event.key === "Enter") {
    // It would save the course and leave its page, with one lesson of many half written.
    event.preventDefault();
  }
});
list.addEventListener("end", ({ item }) => moved(item));
list.addEventListener("parta:reveal", ({ target }) => {
  if (target.closest(".parta-row-form")) open(rowOf(target));
});
for (const name of ["input", "change"]) {
  list.addEventListener(name, ({ target }) => {
    const row = target.closest(".parta-row-form") ? rowOf(target) : null;
    note(row);
    if (row && target.name === `${row.id}-title`) title(row).textContent = target.value;
  });
}
document.getElementById("parta-add")?.addEventListener("click", (event) => {
  event.preventDefault();
  add();
});

form.addEventListener("parta:restore", ({ detail }) => detail.waits.push(restore(detail)));
form.addEventListener("formdata", ({ formData }) => {
  formData.set("lesson_order", [...list.children].map((row) => row.id).join());
  for (const [name, value] of [...formData]) {
    const row = document.getElementById(KEY.exec(name)?.[1]);
    const isAsItWas = row && !isEdited(row) && !name.endsWith("-DELETE");
    const isNoFile = value instanceof File && !value.name;
    if (isAsItWas || isNoFile) formData.delete(name);
  }
});

// Unfold's own listens to each field, again after each change of the page.
form.addEventListener("input", () => note());
form.addEventListener("submit", () => {
  isChanged = false;
});
window.addEventListener("beforeunload", (event) => {
  if (isChanged) event.preventDefault();
});

list.classList.add("is-live");
for (const row of list.children) equip(row);
