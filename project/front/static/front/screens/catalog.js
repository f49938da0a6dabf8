// What the school offers.
import { call } from "../session.js";
import { useQuery } from "../address.js";
import { Filters } from "../forms.js";
import { Listed, Page, Thumbnail, html, priceOf, useLoad } from "../ui.js";

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
    <${Listed} of=${courses} row=${card} none=${nothing} look="cards" />
  <//>`;
}

export const ORDERS = {
  "": gettext("Recently updated"),
  "-created_at": gettext("Newest"),
  title: gettext("By title"),
  price: gettext("Cheapest"),
  "-price": gettext("Most expensive"),
};
const PRICES = { "": gettext("Any price"), true: gettext("Free ones"), false: gettext("Paid ones") };
const CHOICES = { free: [gettext("Price"), PRICES], ordering: [gettext("Order"), ORDERS] };

/** Whose it is, and how long. @param {Pick<Schemas["CatalogCourseOut"], "owner" | "lessons_count">} course */
export function about({ owner, lessons_count: count }) {
  const lessons = interpolate(ngettext("%(count)s lesson", "%(count)s lessons", count), { count }, true);
  return owner.first_name ? `${owner.first_name} · ${lessons}` : lessons;
}

/** @param {Schemas["CatalogCourseOut"]} course */
const card = (course) => html`<li key=${course.id} class="card">
  <${Thumbnail} of=${course.preview} title=${course.title} />
  <h2><a href="/courses/${course.id}">${course.title}</a></h2>
  <p class="quiet">${about(course)}</p>
  <p class="summary">${course.summary}</p>
  <p class="price">${course.has_access ? gettext("You have access") : priceOf(course.price, course.currency)}</p>
</li>`;
