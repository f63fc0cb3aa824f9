// The one way from this page to the agent. A request that needs a signed-in person waits until
// somebody is, so nothing that was typed is lost.

import { lang, t } from "./words.js";

export class Problem extends Error {
  constructor(status, told) {
    super(told.detail || told.title || "");
    this.status = status;
    this.code = told.code || "";
    this.title = told.title || t("problem.title");
    this.detail = told.detail || "";
    this.hint = told.hint || "";
    this.field = told.field || "";
    this.waitS = told.waitS || 0;
  }
}

const UNSIGNED = ["session.none", "session.stale"];
let askToSignIn = () => Promise.reject(new Problem(401, { code: "session.none" }));
let heard = () => {};

// main plugs in who asks for a code, and who wants to know that the agent lives.
export function plug(signIn, onHeard) {
  askToSignIn = signIn;
  heard = onHeard;
}

export function query(path, given) {
  const parts = Object.keys(given || {})
    .filter((name) => given[name] !== undefined && given[name] !== null && given[name] !== "")
    .map((name) => name + "=" + encodeURIComponent(given[name]));
  return parts.length ? path + "?" + parts.join("&") : path;
}

export async function once(method, path, body, signal) {
  const headers = { "accept-language": lang() === "zh" ? "zh-CN" : "en" };
  if (body !== undefined) headers["content-type"] = "application/json";
  let response;
  try {
    response = await fetch(path, {
      method: method,
      headers: headers,
      credentials: "same-origin",
      cache: "no-store",
      signal: signal,
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem(0, {
      code: "page.silent",
      title: t("silent.title"),
      detail: t("silent.detail"),
      hint: t("silent.hint"),
    });
  }
  heard();
  const kind = response.headers.get("content-type") || "";
  const told = kind.indexOf("json") >= 0 ? await response.json() : await response.text();
  if (response.ok) return told;
  const problem = typeof told === "object" ? told : { title: t("problem.title"), detail: told };
  problem.waitS = Number(response.headers.get("retry-after") || 0);
  throw new Problem(response.status, problem);
}

export async function request(method, path, body, signal) {
  try {
    return await once(method, path, body, signal);
  } catch (error) {
    if (UNSIGNED.indexOf(error.code) < 0) throw error;
    await askToSignIn(error);
    return once(method, path, body, signal);
  }
}

export function get(path, given, signal) {
  return request("GET", query(path, given), undefined, signal);
}

export function post(path, body) {
  return request("POST", path, body || {});
}
