// Says how many orders are chosen, and what they come to.

const boxes = [...document.querySelectorAll("input[data-amount]")];
const line = document.querySelector(".parta-chosen");
const { lang } = document.documentElement;
const { shown } = await import(line.dataset.money);

function say() {
  const sums = new Map();
  const chosen = boxes.filter((box) => box.checked);
  for (const box of chosen) {
    const { amount, currency } = box.dataset;
    // Exact: the amounts have two places, and thirty of them are far below what a number holds.
    sums.set(currency, (sums.get(currency) ?? 0) + Math.round(Number(amount) * 100));
  }
  const currencies = [...sums.keys()].sort();
  const amountOf = (currency) => (sums.get(currency) / 100).toFixed(2);
  line.querySelector("[data-number]").textContent = chosen.length;
  line.querySelector("[data-sum]").textContent =
    currencies.map((currency) => shown(amountOf(currency), currency, lang)).join(" + ");
}

for (const box of boxes) {
  box.addEventListener("change", say);
}
say();
