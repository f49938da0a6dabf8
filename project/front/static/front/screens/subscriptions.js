// The courses of which somebody hears by mail.
import { call, useSession } from "../session.js";
import { useQuery } from "../address.js";
import { Action, Loaded, Page, Pager, attempt, day, html, useLoad } from "../ui.js";

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
  return html`<${Page} title=${gettext("Subscriptions")}>
    <${Loaded} of=${loaded}>${(/** @type {Schemas["PagedSubscriptionOut"]} */ page) => html`
      ${page.count === 0 && html`<p>${gettext("You have no subscriptions. Subscribe to a course on its page.")}</p>`}
      <ul class="rows">${page.items.map(({ course_id, title, since, course_mails }) => {
        const path = { course_id };
        const leave = () => call("delete", PLACE, { path }).then(loaded.reload);
        /** @param {Event & { currentTarget: HTMLSelectElement }} event */
        const choose = ({ currentTarget: { value } }) => {
          const body = { course_mails: /** @type {Schemas["CourseMails"]} */ (value) || null };
          const chosen = call("patch", PLACE, { path, body });
          const now = (/** @type {Item} */ item) =>
            page.items.map((one) => (one.course_id === course_id ? item : one));
          attempt(chosen.then((item) => loaded.set({ ...page, items: now(item) })));
        };
        return html`<li key=${course_id}>
          <span class="grow"><a href="/courses/${course_id}">${title}</a><br /><small>${day(since)}</small></span>
          <select aria-label=${gettext("Emails")} value=${course_mails ?? ""} onChange=${choose}>
            ${Object.entries(choices).map(([code, text]) => html`<option value=${code}>${text}</option>`)}
          </select>
          <${Action} do=${leave}>${gettext("Unsubscribe")}<//>
        </li>`;
      })}</ul>
      <${Pager} of=${page} />`}
    <//>
  <//>`;
}
