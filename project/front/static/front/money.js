// Amounts as people read them: what `shown` in project/common/money.py writes.

// Signs that no other currency has. What is not among them is written as the language does, `US$` and
// `CHF`: a `kr` or a `$` alone would not tell which.
const OWN_SIGN = /^[֏₼৳₡₸₭₮₦₱₲₽฿₺₴]$/;

/** @param {string} amount a decimal string @param {string} currency @param {string} language */
export function shown(amount, currency, language) {
  const written = (/** @type {"symbol" | "narrowSymbol"} */ currencyDisplay, digits = {}) =>
    new Intl.NumberFormat(language, { style: "currency", currency, currencyDisplay, ...digits });
  const narrow = written("narrowSymbol");
  const sign = narrow.formatToParts(0).find(({ type }) => type === "currency")?.value ?? "";
  const places = Math.max(2, narrow.resolvedOptions().maximumFractionDigits ?? 2);
  const number = /^-?\d+(\.0*)?$/.test(amount) ? 0 : places;
  const digits = { minimumFractionDigits: number, maximumFractionDigits: number };
  // As a string: a number would lose what does not fit into it.
  const text = /** @type {any} */ (amount);
  return written(OWN_SIGN.test(sign) ? "narrowSymbol" : "symbol", digits).format(text);
}
