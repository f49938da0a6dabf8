/** Start Swagger UI, and mend what keeps its page from being accessible. */

const NAMES = {
  "#servers": "Server",
  ".examples-select-element": "Example",
  ".content-type": "Media type",
  ".operation-filter-input": "Search operations",
  ".parameters select": "Value",
  ".parameters input": "Value",
  ".body-param__text": "Request body",
  ".copy-to-clipboard button": "Copy",
  ".close-modal": "Close",
};
const dark = matchMedia("(prefers-color-scheme: dark)");

/** Swagger UI is dark where its page has this class. */
function followColours() {
  document.documentElement.classList.toggle("dark-mode", dark.matches);
}

function nameFields() {
  for (const [selector, name] of Object.entries(NAMES)) {
    for (const field of document.querySelectorAll(`${selector}:not([aria-label])`)) {
      field.setAttribute("aria-label", name);
    }
  }
  // What is read aloud is what is written on them, and a table is a table.
  for (const button of document.querySelectorAll(".modal-btn[aria-label]")) {
    button.removeAttribute("aria-label");
  }
  for (const table of document.querySelectorAll("table[role=region]")) {
    table.removeAttribute("role");
  }
  document.querySelector(".operation-filter-input")?.setAttribute("placeholder", "Search operations");
  // What can be scrolled has to be reached by keys.
  for (const sample of document.querySelectorAll("pre.microlight:not([tabindex])")) {
    sample.tabIndex = 0;
  }
}

/** Find operations by their path, summary or id; Swagger UI itself finds tags only. */
const search = () => ({
  fn: {
    opsFilter: (tags, phrase) =>
      tags
        .map((tag) =>
          tag.update("operations", (operations) =>
            operations.filter((one) =>
              [one.get("path"), one.getIn(["operation", "summary"]), one.getIn(["operation", "operationId"])]
                .join(" ")
                .toLowerCase()
                .includes(phrase.toLowerCase()),
            ),
          ),
        )
        .filter((tag) => tag.get("operations").size > 0),
  },
});

/** The heading of an operation is a button already: a link inside can't be reached. */
const plainPaths = (system) => ({
  components: { DeepLink: ({ text }) => system.React.createElement("span", null, text) },
});

followColours();
dark.addEventListener("change", followColours);
new MutationObserver(nameFields).observe(document.querySelector("#swagger-ui"), {
  childList: true,
  subtree: true,
});
SwaggerUIBundle({
  ...JSON.parse(document.querySelector("#swagger-settings").textContent),
  dom_id: "#swagger-ui",
  presets: [SwaggerUIBundle.presets.apis],
  plugins: [plainPaths, search],
});
