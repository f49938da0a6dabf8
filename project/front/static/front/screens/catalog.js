// What the school offers.
import { call, useSession } from "../session.js";
import { navigate, useAddress } from "../address.js";
import { Loaded, Page, Pager, Thumbnail, html, money, useLoad } from "../ui.js";

/** @typedef {import("../types").Schemas} Schemas */

export function Catalog() {
  const { meta, profile } = useSession();
  const query = Object.fromEntries(useAddress().searchParams);
  const courses = useLoad(() => call("get", "catalog/courses", { query }), [JSON.stringify(query)]);
  /** @param {Event} event */
  const search = (event) => {
    event.preventDefault();
    const given = new FormData(/** @type {HTMLFormElement} */ (event.currentTarget));
    const kept = [...given].filter(([, value]) => value !== "");
    navigate(`/?${new URLSearchParams(/** @type {any} */ (kept))}`);
  };
  return html`<${Page} title=${profile ? gettext("Courses") : meta.school.name}>
    <form class="search" role="search" onSubmit=${search} key=${JSON.stringify(query)}>
      <input type="search" name="search" aria-label=${gettext("Search courses")} defaultValue=${query.search ?? ""}
        placeholder=${gettext("Search courses")} />
      <select name="free" aria-label=${gettext("Price")}>
        <option value="">${gettext("Any price")}</option>
        <option value="true" selected=${query.free === "true"}>${gettext("Free")}</option>
        <option value="false" selected=${query.free === "false"}>${gettext("Paid")}</option>
      </select>
      <button>${gettext("Search")}</button>
    </form>
    <${Loaded} of=${courses}>${(/** @type {Schemas["PagedCatalogCourseOut"]} */ page) => html`
      ${page.count === 0 && html`<p>${gettext("No courses were found.")}</p>`}
      <ul class="cards">${page.items.map((course) => html`<${Card} key=${course.id} ...${course} />`)}</ul>
      <${Pager} of=${page} />`}
    <//>
  <//>`;
}

/** @param {Schemas["CatalogCourseOut"]} course */
function Card({
  id,
  title,
  summary,
  preview,
  price,
  currency,
  lessons_count: count,
  has_access: isOpen,
  owner,
}) {
  const lessons = interpolate(ngettext("%(count)s lesson", "%(count)s lessons", count), { count }, true);
  return html`<li class="card">
    <${Thumbnail} of=${preview} />
    <h2><a href="/courses/${id}">${title}</a></h2>
    <p class="quiet">${owner.first_name && `${owner.first_name} · `}${lessons}</p>
    <p class="summary">${summary}</p>
    <p class="price">${isOpen ? gettext("You have this course") : money(price, currency)}</p>
  </li>`;
}
