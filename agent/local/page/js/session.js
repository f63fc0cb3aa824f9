// Who is signed in at this browser. Reads and asks; what may be done decides the agent.

import { once } from "./api.js";
import { h, say } from "./dom.js";
import * as dialog from "./dialog.js";
import * as live from "./live.js";
import { t } from "./words.js";

let now = { signed_in: false, roles: [], listener: "", idle_in_s: 0 };
let asking = null;
let onChange = () => {};
let idleS = 0;
let touchedMs = Date.now();

export function session() {
  return now;
}

export function may(role) {
  return now.roles.indexOf(role || "technician") >= 0;
}

function take(told) {
  const before = now.roles.join();
  now = told;
  if (told.signed_in) idleS = told.idle_in_s;
  if (told.roles.length) live.connect();
  else live.disconnect();
  if (before !== told.roles.join()) onChange();
}

export async function begin(changed) {
  onChange = changed;
  ["keydown", "pointerdown"].forEach((name) => {
    document.addEventListener(name, () => { touchedMs = Date.now(); }, true);
  });
  // The page asks by itself when something changes; without this it would keep itself signed in.
  setInterval(() => {
    if (now.signed_in && idleS && Date.now() - touchedMs > idleS * 1000) signOut(true);
  }, 5000);
  take(await once("GET", "/v1/session"));
  return now;
}

export async function signOut(idle) {
  try {
    take(await once("DELETE", "/v1/session"));
  } catch (error) {
    take({ signed_in: false, roles: [], listener: now.listener, idle_in_s: 0 });
  }
  say(t(idle ? "signed_out.idle" : "signed_out"));
  if (idle) signIn({ code: "session.stale" }).catch(() => {});
}

// Resolves once somebody is signed in; rejects when the person does not want to.
export function signIn(cause) {
  if (!asking) {
    if (cause && cause.code === "session.stale" && now.signed_in) {
      now = Object.assign({}, now, { signed_in: false, roles: [] });
    }
    asking = open(cause).then(
      (told) => { asking = null; take(told); say(t("signed_in")); },
      (error) => { asking = null; onChange(); throw error; },
    );
  }
  return asking;
}

function open(cause) {
  const stale = cause && cause.code === "session.stale";
  const field = h("input", {
    id: "code", name: "code", type: "text", inputmode: "numeric", autocomplete: "one-time-code",
    required: true, maxlength: 200, "aria-describedby": "code-hint", spellcheck: "false",
    class: "code",
  });
  return dialog.form({
    title: t("sign_in"),
    body: [
      stale ? h("p", { class: "note" }, t("sign_in.stale")) : null,
      h("label", { for: "code" }, t("sign_in.code")),
      field,
      h("p", { id: "code-hint", class: "hint" }, t("sign_in.hint")),
      h("p", { class: "hint" }, h("code", {}, "posagent page")),
    ],
    accept: t("sign_in"),
    refused: cause,
    work: () => once("POST", "/v1/session", { code: field.value.trim() }),
  });
}
