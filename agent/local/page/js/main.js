// Puts the page together: which view is shown, its way through, language, who is signed in.

import * as api from "./api.js";
import { h, say, swap } from "./dom.js";
import { trouble } from "./dialog.js";
import * as live from "./live.js";
import * as who from "./session.js";
import { lang, ready, speak, t } from "./words.js";
import { overview } from "./overview.js";
import { payments } from "./payments.js";
import { payment } from "./payment.js";
import { why } from "./why.js";
import { reconcile } from "./reconcile.js";
import { past } from "./past.js";
import { checks } from "./checks.js";
import { slips } from "./slips.js";
import { terminal } from "./terminal.js";

const VIEWS = {
  overview: overview, payments: payments, why: why, reconcile: reconcile, history: past,
  checks: checks, slips: slips, terminal: terminal,
};

// One for all views: that the agent is silent stays said while the view changes.
const banner = h("div", { id: "banner", class: "banner", role: "alert" });

let leave = () => {};
let shown = "";

function route() {
  const parts = location.hash.replace(/^#\/?/, "").split("/").map(decodeURIComponent);
  const name = VIEWS[parts[0]] ? parts[0] : "overview";
  return { name: name, rest: parts.slice(1) };
}

function title(text) {
  document.title = text + " \u00b7 posagent";
}

// What a view gets: a place, and ways to ask that end with it.
function context(main, rest) {
  const ends = [];
  const stopper = new AbortController();
  let over = false;
  const it = {
    rest: rest,
    main: main,
    title: title,
    follow: (names, call) => ends.push(live.follow(names, call)),
    every: (ms, call) => {
      const timer = setInterval(() => { if (!document.hidden) call(); }, ms);
      ends.push(() => clearInterval(timer));
    },
    signal: stopper.signal,
    alive: () => !over,
    // Fills `place` with what `work` makes, or with what is wrong; an old answer never overtakes.
    fill: async (place, work) => {
      const turn = (place.turn || 0) + 1;
      place.turn = turn;
      place.setAttribute("aria-busy", "true");
      let content;
      try {
        content = await work();
      } catch (error) {
        if (error.name === "AbortError") return;
        content = trouble(error);
      }
      if (over || place.turn !== turn) return;
      place.removeAttribute("aria-busy");
      swap(place, content);
    },
  };
  it.end = () => {
    over = true;
    stopper.abort();
    ends.forEach((one) => one());
  };
  return it;
}

function go(focus) {
  leave();
  const main = document.getElementById("main");
  const to = route();
  if (!who.session().roles.length) {
    leave = () => {};
    swap(main, signedOut());
    title(t("signed_out.title"));
  } else {
    const view = to.name === "payments" && to.rest[0] ? payment : VIEWS[to.name];
    const it = context(main, to.rest);
    leave = it.end;
    while (main.firstChild) main.removeChild(main.firstChild);
    title(t("nav." + to.name));
    view(it);
  }
  shown = to.name;
  frame();
  if (focus) {
    window.scrollTo(0, 0);
    main.focus();
    say(document.title);
  }
}

function signedOut() {
  return h(
    "section",
    { class: "card welcome" },
    h("h1", {}, t("signed_out.title")),
    h("p", {}, t("signed_out.what")),
    h("p", {}, h("button", { class: "main", onclick: () => who.signIn().catch(() => {}) }, t("sign_in"))),
    h("p", { class: "hint" }, t("sign_in.hint")),
  );
}

function frame() {
  const session = who.session();
  const other = lang() === "zh" ? "en" : "zh";
  document.documentElement.lang = lang() === "zh" ? "zh-CN" : "en";
  document.getElementById("skip").textContent = t("skip");
  const rail = document.getElementById("rail");
  const top = document.getElementById("top");
  rail.setAttribute("aria-label", t("nav"));
  swap(
    rail,
    h("ul", {}, Object.keys(VIEWS).map((name) =>
      h("li", {}, h("a", {
        href: "#/" + name, "data-at": "nav-" + name,
        "aria-current": name === shown ? "page" : null,
        onclick: () => document.body.classList.remove("menu"),
      }, t("nav." + name))))),
  );
  swap(
    top,
    h("button", {
      class: "burger", "data-at": "menu", "aria-controls": "rail",
      "aria-expanded": document.body.classList.contains("menu") ? "true" : "false",
      onclick: () => {
        const open = document.body.classList.toggle("menu");
        top.querySelector(".burger").setAttribute("aria-expanded", open ? "true" : "false");
        if (open) rail.querySelector("a").focus();
      },
    }, h("span", { class: "bars", "aria-hidden": "true" }), t("menu")),
    h("a", { class: "brand", href: "#/overview", "data-at": "brand" }, "posagent"),
    h("span", { class: "grow" }),
    h("button", {
      class: "quiet", "data-at": "lang", lang: other === "zh" ? "zh-CN" : "en",
      onclick: () => { speak(other).then(() => go(false), () => {}); },
    }, t("other_language")),
    session.signed_in
      ? h("button", { class: "quiet", "data-at": "who", onclick: () => who.signOut(false) }, t("sign_out"))
      : h("button", { class: "quiet", "data-at": "who", onclick: () => who.signIn().catch(() => {}) }, t("sign_in")),
    banner,
  );
  live.show();
}

async function begin() {
  await ready();
  api.plug(who.signIn, live.heard);
  document.getElementById("skip").addEventListener("click", (event) => {
    event.preventDefault();
    document.getElementById("main").focus();
  });
  window.addEventListener("hashchange", () => go(true));
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && document.body.classList.contains("menu")) {
      document.body.classList.remove("menu");
      frame();
      document.querySelector(".burger").focus();
    }
  });
  frame();
  live.begin(() => who.signOut(true), () => go(false));
  try {
    await who.begin(() => go(false));
  } catch (error) {
    swap(document.getElementById("main"), trouble(error));
    return;
  }
  go(false);
}

begin();
