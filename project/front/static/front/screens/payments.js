// What somebody has ordered and paid, and how one payment stands: Stripe sends buyers back to it.
import { useEffect, useRef, useState } from "preact/hooks";

import { Problem } from "../client.js";
import { call, useSession } from "../session.js";
import { useQuery } from "../address.js";
import { Filters } from "../forms.js";
import { Action, Listed, Loaded, Page, day, html, money, useLoad } from "../ui.js";

/** @typedef {import("../types").Schemas} Schemas */
/** @typedef {Schemas["PaymentOut"]} Payment */

export const STATUSES = {
  pending: gettext("pending"),
  processing: gettext("processing"),
  paid: gettext("paid"),
  failed: gettext("failed"),
  expired: gettext("expired"),
  cancelled: gettext("cancelled"),
  refunded: gettext("refunded"),
};
const METHODS = { stripe: gettext("online"), transfer: gettext("transfer"), cash: gettext("cash") };
const CHOICES = { status: [gettext("Status"), { "": gettext("Any status"), ...STATUSES }] };

export function Payments() {
  const query = useQuery("status", "page");
  const payments = useLoad(() => call("get", "payments", { query }), [JSON.stringify(query)]);
  return html`<${Page} title=${gettext("Payments")}>
    <${Filters} query=${query} choices=${CHOICES} />
    <${Listed} of=${payments} row=${row} none=${gettext("No payments were found.")} />
  <//>`;
}

/** @param {Payment} payment */
const row = (payment) => html`<li key=${payment.id}>
  <span class="grow"><a href="/payments/${payment.id}">${payment.title}</a><br />
    <span class="tag">${STATUSES[payment.status]}</span>${" "}
    ${payment.is_disputed && html`<span class="tag bad">${gettext("disputed")}</span>${" "}`}
    <small>${day(payment.paid_at ?? payment.created_at)} · ${METHODS[payment.method]}</small></span>
  <strong>${money(payment.amount, payment.currency)}</strong>
</li>`;

/** @param {{ id: string }} props */
export function PaymentPage({ id }) {
  const { profile } = useSession();
  const { loaded, isTired, askAgain } = usePayment(Number(id));
  // Refused, too, it is another one by now: the money came meanwhile.
  const cancel = () =>
    call("delete", "payments/{payment_id}", { path: { payment_id: Number(id) } }).finally(loaded.reload);
  return html`<${Loaded} of=${loaded}>${(/** @type {Payment} */ payment) => {
    const { amount, refunded_amount: refunded, currency, course_id: course, lesson_id: lesson } = payment;
    const isOpen = payment.status === "pending" && payment.user_id === profile?.id;
    const isPaid = payment.status === "paid";
    // The lesson's screen finds its course.
    const place = course ? `/${isPaid ? "learn" : "courses"}/${course}` : lesson && `/learn/0/${lesson}`;
    const facts = [
      [gettext("What for"), payment.title],
      [gettext("Amount"), money(amount, currency)],
      [gettext("Refunded"), Number(refunded) > 0 && money(refunded, currency)],
      [gettext("Method of payment"), METHODS[payment.method]],
      [gettext("Ordered on"), day(payment.created_at, { withTime: true })],
      [gettext("Paid on"), payment.paid_at && day(payment.paid_at, { withTime: true })],
    ];
    const { payment_url: pay, receipt_url: receipt, instructions, is_disputed } = payment;
    return html`<${Page} title=${interpolate(gettext("Payment No. %(number)s"), { number: id }, true)}>
      ${isOpen && instructions && html`<p class="box lines">${instructions}</p>`}
      <p class=${LOOKS[payment.status] ?? "box"} role="status">${told(payment)}</p>
      ${is_disputed && html`<p class="notice bad">${DISPUTED}</p>`}
      <p class="buttons">
        ${isOpen && pay && html`<a class="button main" href=${pay}>${gettext("Continue to payment")}</a>`}
        ${
          place &&
          html`<a class=${isPaid ? "button main" : "button"} href=${place}>
          ${isPaid ? gettext("Start learning") : course ? gettext("To the course") : gettext("To the lesson")}
        </a>`
        }
        ${isTired && html`<${Action} do=${askAgain}>${gettext("Check again")}<//>`}
        ${receipt && html`<a class="button" href=${receipt} target="_blank">${gettext("Open the receipt")}</a>`}
        ${
          isOpen &&
          html`<${Action} class="danger" do=${cancel} ask=${gettext("Cancel this order?")}>
          ${gettext("Cancel the order")}
        <//>`
        }
      </p>
      <dl class="facts">${facts.map(([name, value]) => value && html`<dt>${name}</dt><dd>${value}</dd>`)}</dl>
      <p><a href="/payments">${gettext("All payments")}</a></p>
    <//>`;
  }}<//>`;
}

const DISPUTED = gettext("Your bank questions this payment. If that is a mistake, tell the bank and the school.");
// Of orders online, and of those that the school confirms.
// prettier-ignore
const TOLD = {
  pending: [gettext("Not paid yet. If you have just paid, this page will say so in a moment."),
    gettext("You will receive an email as soon as the school has confirmed the payment. Then you can start learning.")],
  processing: [
    gettext("Your payment is on its way. It can take a few days; you will get access as soon as it arrives.")],
  paid: [gettext("Thank you! We have received your payment, and you now have access.")],
  failed: [gettext("The payment failed. You have not been charged; you can try again."),
    gettext("The school has not received this payment and no longer expects it.")],
  expired: [gettext("The time for this payment has run out. You have not been charged; you can try again."),
    gettext("This order is no longer open. You can order again.")],
  cancelled: [gettext("This order was cancelled.")],
  refunded: [gettext("Your money has been refunded.")],
};

/** @type {Partial<Record<Payment["status"], string>>} */
const LOOKS = { paid: "notice", failed: "notice bad" };

/** How it stands, and what to do. @param {Payment} payment */
function told({ status, method, course_id, lesson_id, is_disputed, refunded_amount }) {
  const [online, offline = online] = TOLD[status];
  if (status !== "paid") return method === "stripe" ? online : offline;
  if (!course_id && !lesson_id)
    return gettext("What you paid for is no longer available. We will give you the money back.");
  return is_disputed || Number(refunded_amount) ? gettext("We have received your payment.") : online;
}

const SECONDS = 3;
const QUESTIONS = 60;

/** A payment, asked about until it is decided: for some minutes, while it is seen. @param {number} payment_id */
function usePayment(payment_id) {
  const [left, setLeft] = useState(QUESTIONS);
  const seconds = useRef(SECONDS);
  const loaded = useLoad(async () => {
    const path = { payment_id };
    seconds.current = SECONDS;
    try {
      return await call("get", "payments/{payment_id}/status", { path });
    } catch (problem) {
      if (!(problem instanceof Problem) || ![429, 502, 503].includes(problem.status)) throw problem;
      // Stripe can't be asked now: this is what is known.
      seconds.current = Math.max(SECONDS, problem.retryAfter);
      return call("get", "payments/{payment_id}", { path });
    }
  }, [payment_id]);
  const { status, method } = loaded.data ?? {};
  const isOpen = status === "processing" || (status === "pending" && method === "stripe");
  useEffect(() => {
    if (!isOpen || !left) return;
    const ask = () => {
      setLeft(left - 1);
      loaded.reload();
    };
    const timer = setTimeout(
      () => (document.hidden ? document.addEventListener("visibilitychange", ask, { once: true }) : ask()),
      seconds.current * 1000,
    );
    return () => clearTimeout(timer);
  }, [loaded.data, !left]);
  const askAgain = () => {
    setLeft(QUESTIONS);
    return loaded.reload();
  };
  return { loaded, isTired: isOpen && !left, askAgain };
}
