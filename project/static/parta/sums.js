// A list that says what its rows come to: asks for the sums once the page is there.

const sums = document.querySelector(".parta-sums");

async function ask() {
  try {
    const response = await fetch(sums.dataset.url);
    // Whoever was logged out is led to the log-in.
    if (response.ok && !response.redirected) {
      return await response.text();
    }
  } catch {
    // The server is out of reach.
  }
  return null;
}

const told = await ask();
if (told === null) {
  const line = sums.querySelector("[data-failed]");
  line.textContent = line.dataset.failed;
} else {
  sums.innerHTML = told;
}
sums.removeAttribute("aria-busy");
