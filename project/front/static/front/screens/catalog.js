// What the school offers.
import { call } from "../session.js";
import { useQuery } from "../address.js";
import { Filters } from "../forms.js";
import { Loaded, Page, Pager, Thumbnail, html, money, useLoad } from "../ui.js";

/** @typedef {import("../types").Schemas} Schemas */

// As many as fill the rows of two, three or four cards.
const PAGE_SIZE = 12;

export function Catalog() {
  const query = useQuery("search", "free", "ordering", "page");
  const courses = useLoad(
    () => call("get", "catalog/courses", { query: { ...query, page_size: PAGE_SIZE } }),
    [JSON.stringify(query)],
  );
  const isSearched = Object.values(query).some(Boolean);
  const nothing = isSearched ? gettext("No courses were found.") : gettext("There are no courses yet.");
  return html`<${Page} title=${gettext("Courses")}>
    <${Filters} query=${query} search=${gettext("Search courses")} choices=${CHOICES} />
    <${Loaded} of=${courses}>${(/** @type {Schemas["PagedCatalogCourseOut"]} */ page) => html`
      ${page.count === 0 && html`<p role="status">${nothing}</p>`}
      <ul class="cards">${page.items.map((course) => html`<${Card} key=${course.id} ...${course} />`)}</ul>
      <${Pager} of=${page} />`}
    <//>
  <//>`;
}

/** @type {import("../forms.js").Choices} */
const CHOICES = {
  free: [
    gettext("Price"),
    { "": gettext("Any price"), true: gettext("Free ones"), false: gettext("Paid ones") },
  ],
  ordering: [
    gettext("Order"),
    {
      "": gettext("Recently updated first"),
      "-created_at": gettext("New ones first"),
      title: gettext("By title"),
      price: gettext("Cheap ones first"),
      "-price": gettext("Expensive ones first"),
    },
  ],
};

/** @param {number} count */
export const lessons = (count) =>
  interpolate(ngettext("%(count)s lesson", "%(count)s lessons", count), { count }, true);

/** @param {Schemas["CatalogCourseOut"]} course */
const Card = ({ id, title, summary, preview, price, currency, lessons_count, has_access, owner }) =>
  html`<li class="card">
    <${Thumbnail} of=${preview} />
    <h2><a href="/courses/${id}">${title}</a></h2>
    <p class="quiet">${owner.first_name && `${owner.first_name} · `}${lessons(lessons_count)}</p>
    <p class="summary">${summary}</p>
    <p class="price">${has_access ? gettext("You have this course") : money(price, currency)}</p>
  </li>`;
