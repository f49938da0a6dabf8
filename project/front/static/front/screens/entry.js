// Log-in, registration, and where the links of mails lead: all that needs no log-in.
import { useEffect, useState } from "preact/hooks";

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

/** @param {{ title: string, children?: Children }} props */
const Narrow = ({ title, children }) =>
  html`<div class="narrow"><${Page} title=${title}>${children}<//></div>`;

function AskSchool() {
  const { email, phone } = useSession().meta.school;
  return html`${gettext("Ask the school:")} ${email && html`<a href="mailto:${email}">${email}</a>`} ${phone}`;
}

/** Who is logged in goes on to where they wanted to go, on this site. @returns {boolean} */
function useGoOn() {
  const isLoggedIn = useSession().profile !== null;
  const next = useAddress().searchParams.get("next") ?? "";
  const isPath = /^\/(?![/\\])/.test(next);
  useEffect(() => {
    if (isLoggedIn) navigate(isPath ? location.origin + next : "/", { replace: true });
  }, [isLoggedIn]);
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

/** A link that keeps where somebody wanted to go. @param {{ to: string, text: string }} props */
const Onwards = ({ to, text }) => html`<a href=${to + location.search}>${text}</a>`;
const ToLogIn = () => html`<${Onwards} to="/login" text=${gettext("Log in")} />`;
const ToReset = () => html`<a href="/password-reset">${gettext("Forgot your password?")}</a>`;

export function LogIn() {
  const { meta } = useSession();
  if (useGoOn()) return null;
  /** @param {Problem} problem */
  const help = ({ code, body }) =>
    code === "account_blocked" &&
    (body.reason === "staff"
      ? html`<${AskSchool} />`
      : html`<a href="/reactivation">${gettext("Open it again")}</a>`);
  return html`<${Narrow} title=${gettext("Log in")}>
    <${Form} send=${(/** @type {any} */ values) => enter(values)} submit=${gettext("Log in")} help=${help}>
      <${Email} />
      <${PasswordField} name="password" label=${gettext("Password")} autocomplete="current-password" />
    <//>
    <p><${ToReset} /></p>
    ${
      meta.is_registration_open &&
      html`<p>${gettext("No account yet?")} <${Onwards} to="/register" text=${gettext("Register")} /></p>`
    }
  <//>`;
}

export function Register() {
  const { meta } = useSession();
  if (useGoOn()) return null;
  /** @param {any} values */
  const send = async (values) => {
    await call("post", "auth/register", { body: { ...values, language } });
    await enter(values);
  };
  /** @param {Problem} problem */
  const help = ({ code }) => code === "email_taken" && html`<${ToLogIn} /> · <${ToReset} />`;
  return html`<${Narrow} title=${gettext("Register")}>
    ${
      meta.is_registration_open
        ? html`<${Form} send=${send} submit=${gettext("Register")} help=${help}>
          <${Field} name="first_name" label=${gettext("First name")} autocomplete="given-name"
            hint=${gettext("Others at the school see it. You can leave it empty.")} />
          <${Email} />
          <${NewPassword} name="password" label=${gettext("Password")} />
        <//>`
        : html`<p>${gettext("Registration is closed: the school makes the accounts.")} <${AskSchool} /></p>`
    }
    <p>${gettext("You have an account?")} <${ToLogIn} /></p>
  <//>`;
}

/**
 * A form that is sent once; then it is said what follows.
 * @param {{ send: (values: any) => Promise<unknown>, done: (values: any) => Children } & Record<string, unknown>} props
 */
export function Once({ send, done, ...form }) {
  const [told, tell] = useState(/** @type {Children} */ (null));
  /** @param {object} values */
  const once = async (values) => {
    await send(values);
    tell(done(values));
  };
  return told ? html`<p class="notice" role="status">${told}</p>` : html`<${Form} ...${form} send=${once} />`;
}

/**
 * Asks for a link by mail. Nobody is told whether there is such an account.
 * @param {{ title: string, text: string, path: "auth/password/reset" | "auth/reactivation" }} props
 */
function LinkRequest({ title, text, path }) {
  /** @param {any} values */
  const done = (values) =>
    interpolate(gettext("If there is an account with %(email)s, a link is on its way."), values, true);
  return html`<${Narrow} title=${title}>
    <p>${text}</p>
    <${Once} submit=${gettext("Send the link")} done=${done}
      send=${(/** @type {any} */ body) => call("post", path, { body })}>
      <${Email} />
    <//>
    <p><${ToLogIn} /></p>
  <//>`;
}

export const PasswordReset =
  () => html`<${LinkRequest} path="auth/password/reset" title=${gettext("Forgotten password")}
  text=${gettext("Enter the email you log in with. We will send you a link to choose a new password.")} />`;

export const Reactivation =
  () => html`<${LinkRequest} path="auth/reactivation" title=${gettext("Open the account")}
  text=${gettext("Accounts that nobody uses for a long time are blocked. A link by email opens yours again.")} />`;

/**
 * Where the link of a mail leads. It does nothing before a button is pressed: programs open links, too.
 * @typedef {{ title: string, submit: string, children?: Children, done: Children, again: Children }} LinkUseProps
 * @param {LinkUseProps & { send: (values: any) => Promise<unknown> }} props `again`: where to get another link
 */
const LinkUse = ({ title, done, again, send, ...form }) => html`<${Narrow} title=${title}>
  <${Once} ...${form} send=${(/** @type {any} */ values) => send(values).then(readProfileAgain)} done=${() => done}
    help=${(/** @type {Problem} */ { code }) => code === "invalid_link" && again} />
<//>`;

/** @param {Schemas["ReactivationIn"]} link */
export const PasswordChoice = (link) => html`<${LinkUse} title=${gettext("Choose a new password")}
  send=${(/** @type {any} */ values) => call("post", "auth/password/reset/confirm", { body: { ...link, ...values } })}
  submit=${gettext("Set the password")} done=${html`${gettext("The new password is set.")} <${ToLogIn} />`}
  again=${html`<a href="/password-reset">${gettext("Ask for a new link")}</a>`}>
  <${NewPassword} name="new_password" label=${gettext("New password")} />
<//>`;

/** @param {Schemas["EmailConfirmationIn"]} link */
export const EmailConfirmation = (link) => html`<${LinkUse} title=${gettext("Confirm your email")}
  send=${() => call("post", "auth/email/confirm", { body: link })} submit=${gettext("Yes, it is mine")}
  done=${html`${gettext("Your email is confirmed.")} <a href="/">${gettext("To all courses")}</a>`}
  again=${html`<a href="/profile">${gettext("Your profile")}</a>`} />`;

/** @param {Schemas["ReactivationIn"]} link */
export const AccountOpening = (link) => html`<${LinkUse} title=${gettext("Open the account")}
  send=${() => call("post", "auth/reactivation/confirm", { body: link })} submit=${gettext("Open it again")}
  done=${html`${gettext("Your account is open again.")} <${ToLogIn} />`}
  again=${html`<a href="/reactivation">${gettext("Ask for a new link")}</a>`} />`;
