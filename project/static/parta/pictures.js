// A picture that is chosen in a form is sent at once, and shown as it will be kept; the form then sends
// its name only. What can't be sent so is sent with the form. Fields that are loaded later are heard
// of, too.
//
// In a block, as all scripts of a page share their outermost names.

{
  const TRIES = 5;
  const PAUSE = 2000; // milliseconds, when others have their pictures read
  // One after the other: more at once would wait for each other on the server.
  let before = Promise.resolve();

  async function answer(input, file) {
    const body = new FormData();
    body.set("csrfmiddlewaretoken", input.form.elements.csrfmiddlewaretoken.value);
    body.set("name", input.name);
    body.set("id", input.id);
    body.set("picture", file);
    for (let tried = 0; tried < TRIES; tried += 1) {
      const response = await fetch(input.dataset.url, { method: "POST", body });
      // Whoever was logged out is led to the log-in.
      if (response.ok && !response.redirected) return response.json();
      if (response.status !== 503) break;
      await new Promise((resolve) => setTimeout(resolve, PAUSE));
    }
    return {};
  }

  async function send(input, file) {
    if (input.files[0] !== file) return; // another one was chosen meanwhile
    const told = await answer(input, file).catch(() => ({})); // the server is out of reach
    if (input.files[0] !== file) return;
    const field = input.closest("[data-picture]");
    field.querySelector("[role=status]").textContent = told.refusal ?? "";
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
      const [file] = input.files;
      const said = input.closest("[data-picture]").querySelector("[role=status]");
      said.textContent = file ? said.dataset.wait : "";
      if (file) before = before.then(() => send(input, file));
    },
    true,
  );
}
