// A picture that is chosen in a form is sent at once, and shown as it will be kept; the form then sends
// its name only. What can't be sent so is sent with the form. Fields that are loaded later are heard
// of, too.

async function send(input, file) {
  const field = input.closest("[data-picture]");
  const said = field.querySelector("[role=status]");
  const body = new FormData();
  body.set("csrfmiddlewaretoken", input.form.elements.csrfmiddlewaretoken.value);
  body.set("name", input.name);
  body.set("id", input.id);
  body.set("picture", file);
  said.textContent = said.dataset.wait;
  let told = {};
  try {
    const response = await fetch(input.dataset.url, { method: "POST", body });
    // Whoever was logged out is led to the log-in.
    if (response.ok && !response.redirected) told = await response.json();
  } catch {
    // The server is out of reach.
  }
  if (input.files[0] !== file) return; // another one was chosen meanwhile
  said.textContent = told.refusal ?? "";
  if (told.refusal) input.value = "";
  if (!told.html) return;
  const had = document.activeElement === input;
  field.outerHTML = told.html;
  const shown = document.getElementById(input.id);
  if (had) shown.focus();
  shown.dispatchEvent(new Event("input", { bubbles: true }));
}

// On the way down, and no further: Unfold's own listener looks for a text field beside it.
document.addEventListener(
  "change",
  (event) => {
    const input = event.target;
    if (!input.matches("[data-picture] [type=file]")) return;
    event.stopPropagation();
    if (input.files.length) send(input, input.files[0]);
  },
  true,
);
