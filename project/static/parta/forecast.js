// The page of a course or a lesson: says who would be mailed, if it were saved as it is now.

const box = document.getElementById("parta-forecast");
const form = box.closest("form");
const withoutScripts = box.innerHTML;
let asked = 0;
let timer;

async function ask() {
  asked += 1;
  const number = asked;
  const entered = new FormData(form);
  for (const [name, value] of [...entered]) {
    if (value instanceof File || name.endsWith("-chosen")) {
      entered.delete(name);
    }
  }
  let told = withoutScripts;
  try {
    const response = await fetch(box.dataset.url, { method: "POST", body: entered });
    // Whoever was logged out is led to the log-in.
    if (response.ok && !response.redirected) {
      told = await response.text();
    }
  } catch {
    // The server is out of reach: what always holds is said.
  }
  // A reader of the screen says aloud what is replaced.
  if (number === asked && told !== box.dataset.told) {
    box.dataset.told = told;
    // A page that becomes shorter moves what somebody is about to press or to drag.
    box.style.minHeight = `${box.offsetHeight}px`;
    box.innerHTML = told;
  }
}

function askSoon() {
  clearTimeout(timer);
  timer = setTimeout(ask, 400);
}

form.addEventListener("input", askSoon);
form.addEventListener("change", askSoon);
// What is chosen from a list that is searched is known to jQuery only.
window.django?.jQuery(form).on("change", "select", askSoon);
ask();
