// A client of the API in one file, to be copied: log-in that lasts, versions, repeats, typed problems.
//
//   const api = createClient({ base: "/api/v1/", language: "en", onEnd: () => showLogIn() });
//   await api.logIn({ email, password });
//   const course = await api.call("get", "courses/{course_id}", { path: { course_id: 5 } });
//   await api.call("patch", "courses/{course_id}", { path: { course_id: 5 }, version: course, body: { title } });

/** @typedef {import("./types").Schemas} Schemas */
/** `until`: by this machine's clock, ms. `login`: which log-in they descend from. */
/** @typedef {Schemas["TokenPairOut"] & { until: number, login: string }} Tokens */

/** The API refused. `code` is for programs, `detail` and the messages of `errors` are for people. */
export class Problem extends Error {
  /** @param {import("./types").ProblemBody} body @param {number} retryAfter seconds, 0 if nothing is said */
  constructor(body, retryAfter) {
    super(body.detail);
    this.body = body;
    this.code = body.code;
    this.status = body.status;
    this.errors = body.errors ?? [];
    this.retryAfter = retryAfter;
  }
}

/** No answer of the API came: no network, no server, or a proxy that speaks for it. */
export class Unreachable extends Error {}

const STORED = "parta.tokens";
// An access token is renewed so long before its end: a request may take its time.
const RESERVE_MS = 20_000;
const PATIENCE_MS = 60_000;
// How long another tab may take to renew it.
const LOCK_MS = 10_000;
// Of the refresh token and of the access token: the log-in is over. Who is blocked is told so.
const ENDS = new Set(["invalid_token", "token_expired", "token_reused", "not_authenticated"]);

/** A key for `Idempotency-Key`; `crypto.randomUUID` exists on https only. */
export const newKey = () => crypto.getRandomValues(new Uint32Array(4)).join("-");

/**
 * @param {object} settings
 * @param {string} settings.base where the API is, with a slash at the end
 * @param {string} settings.language of what the API says to people
 * @param {() => void} settings.onEnd the log-in has ended, here or in another tab
 * @param {() => void} [settings.onOther] somebody has logged in in another tab: from now on this is who asks
 */
export function createClient({ base, language, onEnd, onOther }) {
  /** @type {WeakMap<object, string>} answers and their ETags */
  const versions = new WeakMap();
  /** @type {Promise<Tokens | null> | null} */
  let renewing = null;

  /** What is known to this tab alone: the browser stores nothing, or has no room. @type {string | null} */
  let own = null;

  /** @returns {Tokens | null} */
  function stored() {
    try {
      return JSON.parse(own ?? localStorage.getItem(STORED) ?? "null");
    } catch {
      return null;
    }
  }

  /** @param {Tokens | null} tokens */
  function store(tokens) {
    own = JSON.stringify(tokens);
    try {
      localStorage.setItem(STORED, own);
      own = null;
    } catch {
      // Then it is for this tab.
    }
    return tokens;
  }

  /** @param {Schemas["TokenPairOut"]} pair */
  const keep = (pair, login = newKey()) =>
    store({ ...pair, login: (known = login), until: Date.now() + pair.expires_in * 1000 });

  function end() {
    store((known = null));
    onEnd();
  }

  const current = () => stored()?.login ?? null;
  let known = current();

  /** What other tabs did, also while this one slept or waited for the button "back". */
  function look() {
    if (current() === known) return;
    known = current();
    if (known) onOther?.();
    else onEnd();
  }
  addEventListener("storage", look);
  addEventListener("pageshow", look);

  /**
   * One tab asks for new tokens, the others take what it got. Where they see that late, or there are no locks
   * (browsers have them on https and localhost), the server gives the same successor for half a minute.
   * @param {Tokens} old
   */
  function renew(old) {
    const ask = async () => {
      const now = stored();
      if (!now || now.access !== old.access) return now;
      const answer = await send("auth/token/refresh", {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify({ refresh: now.refresh }),
      });
      const pair = answer.ok && (await read(answer));
      if (pair) return stored()?.access === now.access ? keep(pair, now.login) : stored(); // logged out meanwhile
      const problem = await problemOf(answer);
      if (problem.status !== 401) throw problem;
      end();
      return null;
    };
    const askAlone = async () => {
      const tokens = await ask();
      await new Promise((done) => setTimeout(done, 100)); // Other tabs may learn of the lock before the storage.
      return tokens;
    };
    const asked = async () => {
      if (!navigator.locks) return ask();
      const waiting = new AbortController();
      setTimeout(() => waiting.abort(), LOCK_MS);
      return navigator.locks.request(STORED, { signal: waiting.signal }, askAlone).catch((error) => {
        if (error.name !== "AbortError") throw error;
        return ask(); // The tab that has it sleeps.
      });
    };
    return (renewing ??= asked().finally(() => (renewing = null)));
  }

  /** @param {string} path @param {RequestInit} request */
  async function send(path, request) {
    const headers = { Accept: "application/json", "Accept-Language": language, ...request.headers };
    try {
      return await fetch(base + path, { ...request, headers, signal: AbortSignal.timeout(PATIENCE_MS) });
    } catch (error) {
      throw new Unreachable(String(error));
    }
  }

  /** @param {Response} answer */
  async function problemOf(answer) {
    if (!answer.headers.get("Content-Type")?.startsWith("application/problem+json")) {
      return Promise.reject(new Unreachable(`${answer.status} ${answer.statusText}`));
    }
    return new Problem(await read(answer), Number(answer.headers.get("Retry-After") ?? 0));
  }

  /**
   * @param {string} method
   * @param {string} template
   * @param {{ path?: object, query?: object, body?: unknown, version?: object, key?: string }} options
   */
  async function call(method, template, { path = {}, query = {}, body, version, key } = {}) {
    let address = template;
    for (const [name, value] of Object.entries(path)) {
      address = address.replace(`{${name}}`, encodeURIComponent(value));
    }
    const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== "");
    if (given.length) address += `?${new URLSearchParams(given)}`;

    /** @type {Record<string, string>} */
    const headers = {};
    const etag = version && versions.get(version);
    if (etag) headers["If-Match"] = etag;
    if (key) headers["Idempotency-Key"] = key;
    const isForm = body instanceof FormData;
    if (body !== undefined && !isForm) headers["Content-Type"] = "application/json";
    const content = body === undefined || isForm ? body : JSON.stringify(body);

    look();
    let tokens = stored();
    if (tokens && tokens.until - RESERVE_MS < Date.now()) tokens = await renew(tokens);
    for (let isFirst = true; ; isFirst = false) {
      if (tokens) headers.Authorization = `Bearer ${tokens.access}`;
      else delete headers.Authorization;
      const answer = await send(address, { method: method.toUpperCase(), headers, body: content });
      if (answer.ok) return read(answer);
      const problem = await problemOf(answer);
      if (!tokens || answer.status !== 401 || !ENDS.has(problem.code)) throw problem;
      if (isFirst && (tokens = await renew(tokens))) continue;
      end();
      throw problem;
    }
  }

  /** @param {Response} answer */
  async function read(answer) {
    let value;
    try {
      const text = await answer.text();
      if (!text) return undefined;
      value = JSON.parse(text);
    } catch (error) {
      throw new Unreachable(String(error)); // Cut off, or a page of the network that wants a log-in.
    }
    const etag = answer.headers.get("ETag");
    if (etag) versions.set(value, etag);
    return value;
  }

  const typed = /** @type {import("./types").Call} */ (/** @type {unknown} */ (call));
  return {
    call: typed,
    isLoggedIn: () => stored() !== null,
    /** @param {Schemas["CredentialsIn"]} body */
    logIn: async (body) => keep(await typed("post", "auth/token", { body })),
    /** Every other log-in of the account ends. @param {Schemas["PasswordChangeIn"]} body */
    changePassword: async (body) => keep(await typed("post", "auth/password/change", { body })),
    /** Forget the log-in at once; the server is told if it can be reached. */
    async logOut() {
      const refresh = stored()?.refresh;
      end();
      if (refresh) await typed("post", "auth/logout", { body: { refresh } });
    },
  };
}
