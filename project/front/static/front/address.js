// Which address is shown, and what happens on the way to another.
import { useLayoutEffect, useState } from "preact/hooks";

import { ask } from "./ui.js";

/** @type {Set<() => void>} */
const listeners = new Set();
/** Set while something on the screen would be lost: asks before it is left. @type {string | null} */
let guard = null;
let versionAskedAt = Date.now();
let isOutdated = false;

/**
 * Show the screen of an address.
 * @param {string} address
 * @param {{ replace?: boolean, isSaved?: boolean }} options `isSaved`: what was typed is
 * @returns {Promise<boolean>} false if the person stays
 */
export async function navigate(address, { replace = false, isSaved = false } = {}) {
  if (guard && !isSaved && !(await ask(guard, { yes: gettext("Leave") }))) return false;
  guard = null;
  remember();
  if (isOutdated) location.assign(address);
  else history[replace ? "replaceState" : "pushState"](null, "", address);
  place();
  for (const listener of listeners) listener();
  findNewVersion();
  return true;
}

/** Who comes back comes to where they were: the screen is as long as then, before its content has come. */
function place({ y = 0, height = 0 } = {}) {
  document.body.style.minHeight = `${height}px`;
  scrollTo(0, y);
}
const remember = () => history.replaceState({ y: scrollY, height: document.body.scrollHeight }, "");
history.scrollRestoration = "manual";
addEventListener("popstate", ({ state }) => place(state ?? {}));
addEventListener("pagehide", remember);
place(history.state ?? {});

/** After a deployment the next screen is of the new version. */
async function findNewVersion() {
  if (Date.now() - versionAskedAt < 60_000) return;
  versionAskedAt = Date.now();
  const answer = await fetch("/", { method: "HEAD" }).catch(() => null);
  const version = answer?.ok && answer.headers.get("ETag");
  isOutdated = Boolean(version && !version.includes(document.documentElement.dataset.version ?? ""));
}

document.addEventListener("visibilitychange", () => !document.hidden && findNewVersion());
addEventListener("beforeunload", (event) => guard && event.preventDefault());

/** The address, as a screen sees it change. */
export function useAddress() {
  const [, redraw] = useState(0);
  // Before any effect of a screen: it may lead on at once.
  useLayoutEffect(() => {
    const listener = () => redraw((count) => count + 1);
    listeners.add(listener);
    addEventListener("popstate", listener);
    return () => {
      listeners.delete(listener);
      removeEventListener("popstate", listener);
    };
  }, []);
  return new URL(location.href);
}

/**
 * These parameters of the address. Others in it are not ours: who shares a link adds `utm_source`.
 * @template {string} Name
 * @param {Name[]} names
 */
export function useQuery(...names) {
  const { searchParams } = useAddress();
  const query = Object.fromEntries(names.map((name) => [name, searchParams.get(name) ?? ""]));
  return /** @type {Record<Name, string>} */ (query);
}

/** Links are plain `<a href>`, in rendered Markdown too. @param {(path: string) => boolean} isOurs */
export function followLinks(isOurs) {
  document.addEventListener("click", (event) => {
    const link = event.target instanceof Element && event.target.closest("a");
    if (!link || event.defaultPrevented || event.button || link.target || link.download) return;
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    if (link.origin !== location.origin || !isOurs(link.pathname)) return;
    if (link.getAttribute("href")?.startsWith("#")) return;
    event.preventDefault();
    navigate(link.href);
  });
}

/** Ask before the screen is left. @param {boolean} isDirty */
export function useGuard(isDirty) {
  // At once: who sees that it is saved may leave.
  useLayoutEffect(() => {
    guard = isDirty ? gettext("What you typed is not saved. Leave anyway?") : null;
    return () => {
      guard = null;
    };
  }, [isDirty]);
}
