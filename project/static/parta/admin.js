// Symbols are drawn from words in English ("block", "undo"); nobody should have to hear them.
function hush(part) {
  for (const symbol of part.querySelectorAll(".material-symbols-outlined:not([aria-hidden])")) {
    symbol.setAttribute("aria-hidden", "true");
  }
}

document.addEventListener("DOMContentLoaded", () => hush(document));
document.addEventListener("htmx:afterSwap", (event) => hush(event.target));
