// Log-in, registration, and where the links of mails lead: all that needs no log-in.
import { useEffect } from "preact/hooks";

import { call, language, logIn, readProfileAgain, useSession } from "../session.js";
import { navigate, useAddress } from "../address.js";
import { Field, Form, PasswordField } from "../forms.js";
import { Page, html, pause } from "../ui.js";

/** @typedef {import("../ui.js").Children} Children */
/** @typedef {import("../client.js").Problem} Problem */
/** @typedef {import("../types").Schemas} Schemas */

// What was typed on one of these screens is there on the next: who forgot a password has just typed the email.
let typedEmail = "";

const Email =
  () => html`<${Field} name="email" type="email" label=${gettext("Email")} autocomplete="username" required
  value=${typedEmail} onInput=${(/** @type {any} */ { target }) => (typedEmail = target.value)} />`;

/** @param {{ name: string, label: string }} props */
export const NewPassword = (props) => html`<${PasswordField} ...${props} autocomplete="new-password"
  hint=${gettext("At least 8 characters, more than digits, no common password, and not like your email.")} />`;

/** A link that keeps where somebody wanted to go. @param {{ to: string, text: string }} props */
const Onwards = ({ to, text }) => html`<a href=${to + location.search}>${text}</a>`;
const ToLogIn = () => html`<${Onwards} to="/login" text=${gettext("Log in")} />`;
const ToReset = () => html`<a href="/password-reset">${gettext("Forgot your password?")}</a>`;

/** @typedef {{ title: string, text?: string, below?: Children } & Record<string, unknown>} NarrowProps */
/** A screen that is one form. @param {NarrowProps} props */
const Narrow = ({ title, text, below, ...form }) => html`<div class="narrow"><${Page} title=${title}>
  ${text && html`<p>${text}</p>`}
  <${Form} ...${form} />
  ${below}
<//></div>`;

/** Who is logged in goes on to where they wanted to go, on this site. @returns {boolean} */
function useGoOn() {
  const isLoggedIn = useSession().profile !== null;
  const next = useAddress().searchParams.get("next") ?? "";
  const isPath = /^\/(?![/\\])/.test(next);
  useEffect(() => {
    if (isLoggedIn) navigate(isPath ? location.origin + next : "/", { replace: true });
  }, [isLoggedIn, next]);
  return isLoggedIn;
}

/** While many log in at once, it comes again by itself. @param {Schemas["CredentialsIn"]} credentials */
async function enter({ email, password }, tries = 5) {
  await logIn({ email, password }).catch(async (problem) => {
    if (problem.status !== 429 || problem.retryAfter > 2 || !tries) throw problem;
    await pause(problem.retryAfter);
    await enter({ email, password }, tries - 1);
  });
  typedEmail = "";
}

export function LogIn() {
  const { is_registration_open: isOpen } = useSession().meta;
  if (useGoOn()) return null;
  /** @param {Problem} problem */
  const help = ({ body }) =>
    body.reason === "inactivity"
      ? html`<a href="/reactivation">${gettext("Open it again")}</a>`
      : body.reason && gettext("Ask the school.");
  const toRegister = html`<${Onwards} to="/register" text=${gettext("Register")} />`;
  return html`<${Narrow} title=${gettext("Log in")} submit=${gettext("Log in")} help=${help}
    send=${(/** @type {any} */ values) => enter(values)}
    below=${html`<p><${ToReset} /></p>
      ${isOpen && html`<p>${gettext("No account yet?")} ${toRegister}</p>`}`}>
    <${Email} />
    <${PasswordField} name="password" label=${gettext("Password")} autocomplete="current-password" />
  <//>`;
}

export function Register() {
  const { is_registration_open: isOpen } = useSession().meta;
  if (useGoOn()) return null;
  if (!isOpen) {
    return html`<${Page} title=${gettext("Registration is closed")}>
      ${gettext("The school makes the accounts. Ask it for one.")} <${ToLogIn} /><//>`;
  }
  /** @param {any} values */
  const send = async (values) => {
    await call("post", "auth/register", { body: { ...values, language } });
    await enter(values);
  };
  /** @param {Problem} problem */
  const help = ({ code }) => code === "email_taken" && html`<${ToLogIn} /> · <${ToReset} />`;
  return html`<${Narrow} title=${gettext("Registration")} submit=${gettext("Register")} send=${send} help=${help}
    below=${html`<p>${gettext("You have an account?")} <${ToLogIn} /></p>`}>
    <${Field} name="first_name" label=${gettext("First name")} autocomplete="given-name"
      hint=${gettext("Others at the school see it. You can leave it empty.")} />
    <${Email} />
    <${NewPassword} name="password" label=${gettext("Password")} />
  <//>`;
}

// --- Links by mail -------------------------------------------------------------------------------

/** Nobody is told whether there is such an account. @param {any} values */
const sent = (values) =>
  interpolate(gettext("If there is an account with %(email)s, a link is on its way."), values, true);

export const PasswordReset = () => html`<${Narrow} title=${gettext("Forgotten password")} done=${sent}
  text=${gettext("Enter the email you log in with. We will send you a link to choose a new password.")}
  send=${(/** @type {any} */ body) => call("post", "auth/password/reset", { body })}
  submit=${gettext("Send the link")} below=${html`<${ToLogIn} />`}><${Email} /><//>`;

export const Reactivation = () => html`<${Narrow} title=${gettext("Open the account")} done=${sent}
  text=${gettext("Accounts that nobody uses for a long time are blocked. A link by email opens yours again.")}
  send=${(/** @type {any} */ body) => call("post", "auth/reactivation", { body })}
  submit=${gettext("Send the link")} below=${html`<${ToLogIn} />`}><${Email} /><//>`;

// Where links lead. They do nothing before a button is pressed: programs open links, too.

/** Where to get another link. @param {string} path @param {string} text */
const again =
  (path, text) =>
  (/** @type {Problem} */ { code }) =>
    code === "invalid_link" && html`<a href=${path}>${text}</a>`;

/** @param {Schemas["ReactivationIn"]} link */
export const PasswordChoice = (link) => html`<${Narrow} title=${gettext("Choose a new password")}
  send=${(/** @type {any} */ values) =>
    call("post", "auth/password/reset/confirm", { body: { ...link, ...values } }).then(readProfileAgain)}
  submit=${gettext("Set the password")} done=${() => html`${gettext("The new password is set.")} <${ToLogIn} />`}
  help=${again("/password-reset", gettext("Ask for a new link"))}>
  <${NewPassword} name="new_password" label=${gettext("New password")} />
<//>`;

/** @param {Schemas["EmailConfirmationIn"]} link */
export const EmailConfirmation = (link) => html`<${Narrow} title=${gettext("Confirm your email")}
  send=${() => call("post", "auth/email/confirm", { body: link }).then(readProfileAgain)}
  submit=${gettext("Yes, it is mine")} help=${again("/profile", gettext("Your profile"))}
  done=${() => html`${gettext("Your email is confirmed.")} <a href="/">${gettext("To all courses")}</a>`} />`;

/** @param {Schemas["ReactivationIn"]} link */
export const AccountOpening = (link) => html`<${Narrow} title=${gettext("Open the account")}
  send=${() => call("post", "auth/reactivation/confirm", { body: link })} submit=${gettext("Open it again")}
  help=${again("/reactivation", gettext("Ask for a new link"))}
  done=${() => html`${gettext("Your account is open again.")} <${ToLogIn} />`} />`;
