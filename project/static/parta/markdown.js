// The field of a description: shows what it will look like, as the server renders it, and says what is
// refused. Fields that are loaded later are heard of, too.
//
// In a block, as all scripts of a page share their outermost names.

{
  const PAUSE = 500; // milliseconds without a key
  const timers = new WeakMap();
  const latest = new WeakMap();

  async function show(area) {
    const number = (latest.get(area) ?? 0) + 1;
    latest.set(area, number);
    const body = new FormData();
    body.set("text", area.value);
    body.set("csrfmiddlewaretoken", area.form.elements.csrfmiddlewaretoken.value);
    let told;
    try {
      const response = await fetch(area.dataset.markdown, { method: "POST", body });
      // Whoever was logged out is led to the log-in.
      if (!response.ok || response.redirected) return;
      told = await response.json();
    } catch {
      return; // the server is out of reach: what was shown last stays
    }
    if (latest.get(area) !== number) return;
    const field = area.closest(".parta-markdown");
    field.querySelector("[data-shown]").innerHTML = told.html;
    const refusal = document.getElementById(`${area.id}-refusal`);
    if (refusal.textContent !== told.refusal) refusal.textContent = told.refusal;
    area.setAttribute("aria-invalid", told.refusal !== "");
  }

  document.addEventListener("input", (event) => {
    const area = event.target;
    if (!area.matches("textarea[data-markdown]")) return;
    clearTimeout(timers.get(area));
    timers.set(area, setTimeout(() => show(area), PAUSE));
  });
}
