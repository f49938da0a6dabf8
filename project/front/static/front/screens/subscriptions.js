// The courses of which somebody hears by mail.
import { call, useSession } from "../session.js";
import { useQuery } from "../address.js";
import { Action, Listed, Page, attempt, day, html, useLoad } from "../ui.js";

/** @typedef {import("../types").Schemas} Schemas */
/** @typedef {Schemas["SubscriptionOut"]} Item */

export const MAILS = {
  at_once: gettext("As soon as a course changes"),
  daily: gettext("In one email a day"),
  never: gettext("No emails"),
};
const PLACE = "courses/{course_id}/subscription";

export function Subscriptions() {
  const { profile } = useSession();
  const query = useQuery("page");
  const loaded = useLoad(() => call("get", "subscriptions", { query }), [query.page]);
  const how = MAILS[profile?.course_mails ?? "at_once"];
  const choices = { "": interpolate(gettext("As in my profile: %(how)s"), { how }, true), ...MAILS };
  /** @param {Item} item */
  const row = ({ course_id, title, since, course_mails }) => {
    const path = { course_id };
    const leave = () => call("delete", PLACE, { path }).then(loaded.reload);
    /** @param {Event & { currentTarget: HTMLSelectElement }} event */
    const choose = ({ currentTarget: { value } }) => {
      const body = { course_mails: /** @type {Schemas["CourseMails"]} */ (value) || null };
      const { data } = loaded;
      const now = (/** @type {Item} */ item) =>
        data && loaded.set({ ...data, items: data.items.map((one) => (one.course_id === course_id ? item : one)) });
      attempt(call("patch", PLACE, { path, body }).then(now));
    };
    return html`<li key=${course_id}>
      <span class="grow"><a href="/courses/${course_id}">${title}</a><br /><small>${day(since)}</small></span>
      <select aria-label=${gettext("Emails")} value=${course_mails ?? ""} onChange=${choose}>
        ${Object.entries(choices).map(([code, text]) => html`<option value=${code}>${text}</option>`)}
      </select>
      <${Action} do=${leave}>${gettext("Unsubscribe")}<//>
    </li>`;
  };
  const none = gettext("You have no subscriptions. Subscribe to a course on its page.");
  return html`<${Page} title=${gettext("Subscriptions")}><${Listed} of=${loaded} row=${row} none=${none} /><//>`;
}
