// Says how many orders are chosen, and what they come to.

const boxes = [...document.querySelectorAll("input[data-amount]")];
const line = document.querySelector(".parta-chosen");
const { lang } = document.documentElement;

// Exact: the amounts have two places, and thirty of them are far below what a number holds.
function shown(hundredths, currency) {
  return new Intl.NumberFormat(lang, { style: "currency", currency }).format(hundredths / 100);
}

function say() {
  const sums = new Map();
  const chosen = boxes.filter((box) => box.checked);
  for (const box of chosen) {
    const { amount, currency } = box.dataset;
    sums.set(currency, (sums.get(currency) ?? 0) + Math.round(Number(amount) * 100));
  }
  const currencies = [...sums.keys()].sort();
  line.querySelector("[data-number]").textContent = chosen.length;
  line.querySelector("[data-sum]").textContent =
    currencies.map((currency) => shown(sums.get(currency), currency)).join(" + ");
}

for (const box of boxes) {
  box.addEventListener("change", say);
}
say();
