// Who is at the school, as far as they let others see it.
import { call, useSession } from "../session.js";
import { useQuery } from "../address.js";
import { Filters } from "../forms.js";
import { Avatar, Listed, Loaded, Page, day, html, useLoad } from "../ui.js";

/** @typedef {import("../types").Schemas} Schemas */
/** @typedef {Schemas["PublicProfileOut"]} Person */

/** @param {Person} person */
const nameOf = ({ first_name: name }) => name ?? gettext("Somebody without a name");

/** @param {Person} person */
const row = (person) => html`<li key=${person.id}>
  <${Avatar} ...${person} />
  <span class="grow"><a href="/people/${person.id}">${nameOf(person)}</a> <small>${person.city}</small></span>
</li>`;

export function People() {
  const query = useQuery("search", "page");
  const people = useLoad(() => call("get", "users", { query }), [JSON.stringify(query)]);
  return html`<${Page} title=${gettext("People")}>
    <${Filters} query=${query} search=${gettext("First name or city")} choices=${[]} />
    <${Listed} of=${people} row=${row} none=${gettext("Nobody was found.")} />
  <//>`;
}

/** @param {{ id: string }} props */
export function OnePerson({ id }) {
  const own = useSession().profile?.id;
  const loaded = useLoad(() => call("get", "users/{user_id}", { path: { user_id: Number(id) } }), [id]);
  /** @param {Person} person */
  const shown = (person) => html`<${Page} title=${nameOf(person)}>
    <${Avatar} ...${person} size="large" />
    <p>${person.city}</p>
    <p class="quiet">${gettext("Here since")} ${day(person.date_joined)}</p>
    ${person.id === own && html`<p><a href="/profile">${gettext("Change your profile")}</a></p>`}
  <//>`;
  return html`<${Loaded} of=${loaded}>${shown}<//>`;
}
