// The courses of which somebody hears by mail.
import { call, useSession } from "../session.js";
import { useQuery } from "../address.js";
import { Action, Loaded, Page, Pager, attempt, day, html, useLoad } from "../ui.js";

/** @typedef {import("../types").Schemas} Schemas */
/** @typedef {Schemas["SubscriptionOut"] & { hasLeft?: boolean }} Item */

export const MAILS = {
  at_once: gettext("As soon as a course changes"),
  daily: gettext("In one email a day"),
  never: gettext("No emails"),
};

export function Subscriptions() {
  const { profile } = useSession();
  const query = useQuery("page");
  const loaded = useLoad(() => call("get", "subscriptions", { query }), [query.page]);
  const how = MAILS[profile?.course_mails ?? "at_once"];
  const choices = Object.entries({
    "": interpolate(gettext("As in my profile: %(how)s"), { how }, true),
    ...MAILS,
  });
  return html`<${Page} title=${gettext("Subscriptions")}>
    <${Loaded} of=${loaded}>${(/** @type {Schemas["PagedSubscriptionOut"]} */ page) => html`
      ${page.count === 0 && html`<p>${gettext("You have no subscriptions. Subscribe to a course on its page.")}</p>`}
      <ul class="rows">${page.items.map((/** @type {Item} */ item, index) => {
        const { course_id, hasLeft } = item;
        const place = "courses/{course_id}/subscription";
        /** @param {Item} changed */
        const put = (changed) => loaded.set({ ...page, items: page.items.with(index, changed) });
        /** @param {string} value */
        const choose = (value) => {
          const body = { course_mails: /** @type {Schemas["CourseMails"]} */ (value) || null };
          return call("patch", place, { path: { course_id }, body }).then(put);
        };
        const toggle = async () => {
          await call(hasLeft ? "post" : "delete", place, { path: { course_id } });
          put({ ...item, hasLeft: !hasLeft });
        };
        return html`<li key=${course_id}>
          <span class="grow">
            <a href="/courses/${course_id}">${item.title}</a><br /><small>${day(item.since)}</small>
          </span>
          ${
            !hasLeft &&
            html`<select aria-label=${gettext("Emails")} value=${item.course_mails ?? ""}
            onChange=${(/** @type {any} */ event) => attempt(choose(event.currentTarget.value))}>
            ${choices.map(([code, text]) => html`<option value=${code}>${text}</option>`)}
          </select>`
          }
          <${Action} do=${toggle}>${hasLeft ? gettext("Subscribe again") : gettext("Unsubscribe")}<//>
        </li>`;
      })}</ul>
      <${Pager} of=${page} />`}
    <//>
  <//>`;
}
