// Unfold opens much by a click on something that no key reaches. Here it becomes a button, symbols
// are not read out by the English words that they are drawn from ("undo"), and a list of errors leads
// to the fields.

const SYMBOLS = ".material-symbols-outlined";
const CLICKED = "[x-on\\:click], .delete-template, a.related-widget-wrapper-link";
const REACHED = "a[href], button, input, select, textarea, summary, [tabindex='0']";
// What opens over the page, or beside it.
const OPENED = "nav[x-show], #changelist-filter, [x-show=sidebarOpen]";

function word(name) {
  return document.getElementById("parta-words")?.dataset[name];
}

function withSelf(part, selector) {
  const inside = [...part.querySelectorAll(selector)];
  return part.matches?.(selector) ? [part, ...inside] : inside;
}

function isSeen(element) {
  return element.checkVisibility({ visibilityProperty: true });
}

function makeButton(element) {
  element.setAttribute("role", "button");
  element.setAttribute("tabindex", "0");
}

function nameBySymbol(control) {
  if (control.title || control.ariaLabel) return;
  const symbols = withSelf(control, SYMBOLS).map((symbol) => symbol.textContent.trim());
  const drawn = symbols.join("").replaceAll(/\s/g, "");
  const name = drawn && drawn === control.textContent.replaceAll(/\s/g, "") && word(symbols[0]);
  if (name) control.setAttribute("aria-label", name);
}

function equip(part) {
  for (const element of withSelf(part, CLICKED)) {
    // One that holds nothing is the backdrop of a dialog, which Escape closes.
    if (element.textContent.trim() && !element.matches(REACHED)) makeButton(element);
  }
  for (const box of withSelf(part, "input.delete")) box.setAttribute("aria-label", word("delete"));
  for (const control of withSelf(part, "a, button, [role=button]")) nameBySymbol(control);
  for (const symbol of withSelf(part, `${SYMBOLS}:not([role=button])`)) {
    symbol.setAttribute("aria-hidden", "true");
  }
  for (const control of withSelf(part, "[x-on\\:click*=openTheme]")) control.setAttribute("aria-label", word("theme"));
  for (const chosen of withSelf(part, ".select2-selection")) nameByLabel(chosen);
}

// Select2 names its field by what is chosen, which may be nothing.
function nameByLabel(chosen) {
  const label = chosen.closest(".select2")?.previousElementSibling?.labels?.[0];
  if (!label) return;
  label.id ||= `${label.htmlFor}_label`;
  const text = chosen.querySelector("[role=textbox]");
  chosen.setAttribute("aria-labelledby", [label.id, text?.id].filter(Boolean).join(" "));
  text?.setAttribute("aria-labelledby", label.id);
}

// One region has what the page is about, and one heading says what that is.
function markRegions() {
  document.querySelector("#main, .login #page > :first-child")?.setAttribute("role", "main");
  document.getElementById("nav-sidebar-inner")?.setAttribute("aria-label", word("dock_to_right"));
  if (document.querySelector("#content h1")) document.querySelector("#header-inner h1")?.setAttribute("role", "none");
}

function seenOf(selector) {
  return [...document.querySelectorAll(selector)].filter(isSeen);
}

let openedBy = null;

// What a key opened gets the focus; Escape closes it and gives the focus back.
function press(control) {
  const before = new Set(seenOf(OPENED));
  control.click();
  setTimeout(() => {
    const opened = seenOf(OPENED).find((part) => !before.has(part));
    const first = opened && [...opened.querySelectorAll(REACHED)].find(isSeen);
    if (!first) return;
    openedBy = control;
    first.focus();
  }, 60);
}

function close(menu) {
  const opener = openedBy;
  openedBy = null;
  if (isSeen(menu)) opener.click();
  opener.focus();
}

function reveal(fault) {
  const field = document.getElementById(fault.hash.slice(1));
  field?.dispatchEvent(new Event("parta:reveal", { bubbles: true }));
  field?.focus();
}

document.addEventListener("keydown", (event) => {
  const element = event.target;
  if (event.key === "Escape" && openedBy) {
    const menu = element.closest("nav[x-show]");
    if (menu) close(menu);
  }
  if (element.getAttribute?.("role") !== "button" || element.matches("a[href], button")) return;
  if (event.key === "Enter" || event.key === " ") {
    event.preventDefault();
    press(element);
  }
});

// The palette marks one hit as chosen: the one that Tab has come to.
document.addEventListener("focusin", (event) => {
  event.target.closest?.("#command-results li")?.dispatchEvent(new MouseEvent("mouseenter"));
});

document.addEventListener("click", (event) => {
  const fault = event.target.closest?.(".parta-faults a");
  if (!fault) return;
  event.preventDefault();
  reveal(fault);
});

document.addEventListener("DOMContentLoaded", () => {
  equip(document);
  markRegions();
  document.getElementById("content")?.setAttribute("tabindex", "-1");
  const palette = document.querySelector("[x-data='searchCommand()']");
  palette?.setAttribute("role", "dialog");
  palette?.setAttribute("aria-modal", "true");
  palette?.setAttribute("aria-label", word("search"));
  // It offers what can be begun before anything is typed.
  const typed = document.getElementById("search-input-command");
  if (typed) {
    typed.setAttribute("hx-trigger", "focus, input changed delay:300ms");
    htmx.process(typed);
  }
  const watch = new MutationObserver((records) => {
    for (const { addedNodes } of records) {
      for (const node of addedNodes) if (node instanceof Element) equip(node);
    }
  });
  watch.observe(document.body, { childList: true, subtree: true });
  const fault = document.querySelector(".parta-faults a");
  if (fault) reveal(fault);
});
