// A person's own account.
import { useEffect, useState } from "preact/hooks";

import { api, call, readProfileAgain, setProfile, useLanguage, useSession } from "../session.js";
import { navigate } from "../address.js";
import { Editor } from "../editor.js";
import { Field, Form, PasswordField, PictureField } from "../forms.js";
import { Action, Avatar, Loaded, Page, day, html, notify, said, useLoad } from "../ui.js";
import { NewPassword } from "./entry.js";
import { MAILS } from "./subscriptions.js";

/** @typedef {import("../types").Schemas} Schemas */
/** @typedef {Schemas["ProfileOut"]} Profile */

const useProfile = () => /** @type {Profile} */ (useSession().profile);

export const Account = () => html`<div class="profile"><${Page} title=${gettext("Your profile")}>
  <${OwnPicture} />
  <${Details} />
  <${Part} title=${gettext("Email")} is=${EmailChange} />
  <${Part} title=${gettext("Password")} is=${PasswordChange} />
  <${Part} title=${gettext("Where you are logged in")} is=${Sessions} />
  <${Part} title=${gettext("A copy of your data")} is=${Export} />
  <${Part} title=${gettext("Erase the account")} is=${Erasure} />
<//></div>`;

/** Is made, and asks the API, when it is opened. @param {{ title: string, is: () => unknown }} props */
function Part({ title, is: Content }) {
  const [isOpen, setOpen] = useState(false);
  return html`<details onToggle=${(/** @type {any} */ event) => setOpen(event.currentTarget.open)}>
    <summary>${title}</summary>
    ${isOpen && html`<${Content} />`}
  </details>`;
}

function OwnPicture() {
  const { avatar, ...person } = useProfile();
  /** @param {FormData} body */
  const send = async (body) => setProfile(await call("put", "users/me/avatar", { body }));
  const remove = () => call("delete", "users/me/avatar").then(readProfileAgain);
  return html`<p class="buttons">
    <${Avatar} avatar=${avatar} ...${person} size="large" />
    <${PictureField} label=${avatar ? gettext("Another picture") : gettext("Add a picture")} send=${send} />
    ${avatar && html`<${Action} do=${remove}>${gettext("Remove the picture")}<//>`}
  </p>`;
}

const people = () => html`<a href="/people">${gettext("People")}</a>`;

/** @param {Schemas["MetaOut"]} meta @returns {import("../editor.js").Fields} */
const fieldsOf = ({ languages }) => ({
  first_name: { label: gettext("First name"), autocomplete: "given-name" },
  last_name: { label: gettext("Last name"), autocomplete: "family-name" },
  phone: { label: gettext("Phone"), type: "tel", autocomplete: "tel" },
  city: { label: gettext("City"), autocomplete: "address-level2" },
  language: { label: gettext("Language"), options: languages.map(({ code, name }) => [code, name]) },
  course_mails: {
    label: gettext("Emails about changes in courses"),
    options: Object.entries(MAILS),
    hint: html`<a href="/subscriptions">${gettext("Choose for each course")}</a>`,
  },
  is_listed: {
    label: gettext("Show me in the list of people"),
    hint: html`${gettext("Others see your first name, your city and your picture:")} ${people()}`,
  },
});

function Details() {
  const { meta } = useSession();
  const profile = useProfile();
  /** @param {Schemas["ProfileChanges"]} body @param {Profile} version */
  const save = async (body, version) => {
    const path = { user_id: profile.id };
    const answer = await call("patch", "users/{user_id}", { path, version, body });
    if (body.language) setTimeout(() => useLanguage(answer.language)); // when the form knows that it is saved
    return answer;
  };
  const of = { load: () => call("get", "users/me"), set: setProfile };
  return html`<${Editor} material=${profile} slot="profile" save=${save} of=${of} fields=${fieldsOf(meta)} />`;
}

function EmailChange() {
  const profile = useProfile();
  const told = gettext("A link is on its way to %(email)s. The address changes when it is confirmed there.");
  return html`<p>${interpolate(gettext("At present it is %(email)s."), profile, true)}</p>
    <${Form} submit=${gettext("Send the link")} done=${(/** @type {any} */ values) => interpolate(told, values, true)}
      send=${(/** @type {any} */ body) => call("post", "users/me/email", { body })}>
      <${Field} name="email" type="email" label=${gettext("New email")} autocomplete="email" required />
      <${PasswordField} name="password" label=${gettext("Your password")} autocomplete="current-password" />
    <//>`;
}

const PasswordChange = () => html`<${Form} send=${api.changePassword} submit=${gettext("Set the password")}
  done=${() => gettext("The new password is set. You are logged out everywhere else.")}>
  <input hidden autocomplete="username" value=${useProfile().email} />
  <${PasswordField} name="old_password" label=${gettext("Your password")} autocomplete="current-password" />
  <${NewPassword} name="new_password" label=${gettext("New password")} />
<//>`;

function Sessions() {
  const sessions = useLoad(() => call("get", "users/me/sessions", { query: { page_size: 100 } }), []);
  /** @param {Schemas["SessionOut"]} session */
  const row = ({ id, device, address, door, last_used_at: usedAt, is_current: isHere }) => {
    const path = { session_id: id };
    const end = () => call("delete", "users/me/sessions/{session_id}", { path }).then(sessions.reload);
    return html`<li key=${id}>
      <span class="grow">${device} <small>${address}</small></span>
      ${door === "admin" && html`<span class="tag">${gettext("Admin")}</span>`}
      <small>${day(usedAt, { withTime: true })}</small>
      ${isHere ? html`<span class="tag">${gettext("here")}</span>` : html`<${Action} do=${end}>${gettext("End")}<//>`}
    </li>`;
  };
  const endAll = () => call("post", "auth/logout/everywhere").then(forget);
  return html`<${Loaded} of=${sessions}>
      ${(/** @type {Schemas["PagedSessionOut"]} */ { items }) => html`<ul class="rows">${items.map(row)}</ul>`}
    <//>
    <p><${Action} do=${endAll} ask=${gettext("You will have to log in again on all devices, on this one too.")}>
      ${gettext("Log out everywhere")}<//></p>`;
}

/** The tokens are worth nothing any more. */
function forget() {
  navigate("/");
  return api.logOut();
}

const Export = () => html`<p>${gettext("All that the school keeps about you, in one file.")}</p>
  <${Form} send=${() => call("post", "users/me/export")} submit=${gettext("Ask for the file")}
    done=${() => gettext("You will get an email with a link to the file.")} />`;

function Erasure() {
  const { id, email } = useProfile();
  const [typed, setTyped] = useState("");
  const erase = async () => {
    await call("delete", "users/{user_id}", { path: { user_id: id } });
    await forget();
    notify(gettext("Your account is erased."));
  };
  return html`<p>${gettext("Your name, email, phone, city and picture are erased, and your subscriptions end.")}
      ${" "}${gettext("Payments stay in the books. This can't be undone.")}</p>
    <${Field} name="typed" label=${gettext("Type your email to confirm")} hint=${email} autocomplete="off"
      onInput=${(/** @type {any} */ { target }) => setTyped(target.value.trim().toLowerCase())} />
    <p><${Action} class="danger" do=${erase} disabled=${typed !== email.toLowerCase()}
      ask=${gettext("Erase your account for good?")}>${gettext("Erase the account")}<//></p>`;
}

/** What keeps mails away from the person: above all screens. */
export function MailTrouble() {
  const { profile } = useSession();
  const isTrouble = profile && !(profile.is_email_confirmed && profile.is_email_reachable);
  useEffect(() => {
    // Who confirmed it in another tab comes back to this one.
    const look = () => document.visibilityState === "visible" && readProfileAgain().catch(said);
    if (isTrouble) document.addEventListener("visibilitychange", look);
    return () => document.removeEventListener("visibilitychange", look);
  }, [isTrouble]);
  if (!isTrouble) return null;
  const told = gettext("The link is on its way.");
  /** Before it is confirmed an address gets one in a day. @param {any} problem */
  const refused = (problem) => {
    if (problem.status !== 429) throw problem;
    notify(gettext("We have sent you a link already. Please look into the spam folder, too."), { isBad: true });
  };
  const send = () => call("post", "auth/email/confirmation").then(() => notify(told), refused);
  const text = profile.is_email_reachable
    ? gettext("Please confirm your email: open the link that we sent to %(email)s.")
    : gettext("Emails don't reach you: the mail server knows no %(email)s. Nothing is sent there any more.");
  return html`<aside class="notice trouble buttons">${interpolate(text, profile, true)}
    ${profile.is_email_reachable && html`<${Action} class="plain" do=${send}>${gettext("Send it again")}<//>`}
    <a href="/profile">${gettext("Change the address")}</a></aside>`;
}
