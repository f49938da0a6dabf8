// Who is logged in, and what the school is: read once in a tab, shared by all screens.
import { createContext } from "preact";
import { useContext } from "preact/hooks";

import { createClient } from "./client.js";

/** @typedef {import("./types").Schemas} Schemas */
/** @typedef {{ meta: Schemas["MetaOut"], profile: Schemas["ProfileOut"] | null }} Session */

export const language = document.documentElement.lang;
/** @type {(changes: Partial<Session>) => void} Change what all screens see. */
let change = () => {};

export const api = createClient({
  base: "/api/v1/",
  language,
  onEnd: () => setProfile(null),
  onOther: () => void readProfileAgain().catch(() => location.reload()),
});
export const call = api.call;

export const SessionContext = createContext(/** @type {Session | null} */ (null));
export const useSession = () => /** @type {Session} */ (useContext(SessionContext));

/** @param {typeof change} listener */
export function onChange(listener) {
  change = listener;
}

/** @param {Schemas["ProfileOut"] | null} profile */
export const setProfile = (profile) => change({ profile });

/** @returns {Promise<Session>} */
export async function readSession() {
  const [meta, profile] = await Promise.all([call("get", "meta"), api.isLoggedIn() ? readProfile() : null]);
  return { meta, profile };
}

/** @returns {Promise<Schemas["ProfileOut"] | null>} null if the log-in that was kept has ended */
async function readProfile() {
  try {
    return await call("get", "users/me");
  } catch (problem) {
    if (api.isLoggedIn()) throw problem;
    return null;
  }
}

/** Something else than this screen may have changed it: a link of a mail, another tab. */
export async function readProfileAgain() {
  if (api.isLoggedIn()) setProfile(await readProfile());
}

/** @param {Schemas["CredentialsIn"]} credentials */
export async function logIn(credentials) {
  await api.logIn(credentials);
  const profile = await call("get", "users/me");
  if (!useLanguage(profile.language)) setProfile(profile); // or the page comes again, logged in
}

/** Have the page in this language: Django reads the cookie. @param {string} code */
export function useLanguage(code) {
  if (code === language) return false;
  document.cookie = `django_language=${code}; path=/; max-age=31536000; samesite=lax`;
  // Where no cookies are kept, it would come in the same language again.
  const isKept = document.cookie.includes(`django_language=${code}`);
  if (isKept) location.reload();
  return isKept;
}
