// Self-inspection and outage drill: begun here, followed while they run, kept.

import { get, post } from "./api.js";
import { card, h, mark, pairs, say, state, swap, table } from "./dom.js";
import { trouble } from "./dialog.js";
import * as dialog from "./dialog.js";
import { full, number, value, when } from "./format.js";
import { may } from "./session.js";
import { both, t, word } from "./words.js";
import { drills } from "./drills.js";

const VERDICT = { pass: "ok", warn: "warning", fail: "fault", unknown: "unknown", not_fitted: "not_fitted", not_observable: "not_observable" };
const ORDER = ["fail", "warn", "unknown", "pass", "not_observable", "not_fitted"];

export function checks(it) {
  const shown = h("div", { class: "fill" });
  const list = h("div", { class: "fill" });
  const practice = h("div", {});
  swap(it.main, h("h1", {}, t("nav.checks")),
    card(t("inspect"), {}, h("p", {}, t("inspect.what")),
      may() ? h("div", { class: "buttons" }, h("button", { type: "button", class: "main", id: "inspect", onclick: () => begin(it, shown, list) }, t("inspect.go")))
        : h("p", { class: "hint" }, t("needs_technician"))),
    shown, list, practice);
  listed(it, list, shown);
  drills(it, practice);
}

function listed(it, list, shown) {
  it.fill(list, async () => {
    const told = (await get("/v1/inspections", { limit: 10 }, it.signal)).inspections;
    if (!told.length) return null;
    return table(t("inspect.past"), [t("reconcile.number"), t("reconcile.when"), t("inspect.result"), t("inspect.by")],
      told.map((one) => h("tr", {},
        h("th", { scope: "row" }, h("button", { type: "button", class: "link", "data-at": "inspection-" + one.number, onclick: () => follow(it, shown, one.number) }, "#" + one.number)),
        h("td", {}, when(one.started_at)),
        h("td", {}, one.state === "running" ? state("busy", t("running")) : totals(one.totals)),
        h("td", {}, t("trigger." + one.trigger)))));
  });
}

function totals(by) {
  return h("span", { class: "totals" }, ORDER.filter((name) => by[name]).map((name) =>
    state(VERDICT[name], t("verdict." + name) + " " + by[name])));
}

async function begin(it, shown, list) {
  const button = document.getElementById("inspect");
  button.disabled = true;
  try {
    const told = await post("/v1/inspections");
    await follow(it, shown, told.number || "last");
  } catch (error) {
    if (error.name !== "AbortError") swap(shown, trouble(error));
  }
  button.disabled = false;
  if (it.alive()) listed(it, list, shown);
}

// Asks for more than it knows and is answered when there is more: no polling.
async function follow(it, shown, which) {
  let done = 0;
  let waitS = 0;
  try {
    for (;;) {
      const told = await get("/v1/inspections/" + which, { after: done, wait_s: waitS }, it.signal);
      if (!it.alive()) return;
      waitS = 15;
      done = told.checks.length;
      swap(shown, report(told));
      say(t("inspect.progress", { n: done, of: told.expected.length }));
      if (told.state === "done") return;
    }
  } catch (error) {
    if (error.name !== "AbortError") swap(shown, trouble(error));
  }
}

function report(told) {
  const running = told.state === "running";
  const left = told.expected.filter((name) => !told.checks.some((one) => one.name === name));
  const sorted = told.checks.slice().sort((a, b) => ORDER.indexOf(a.verdict) - ORDER.indexOf(b.verdict));
  return card(
    h("h2", {}, t("inspect.title", { n: told.number }), " ", running ? state("busy", t("running")) : null),
    { id: "inspection" },
    running ? h("progress", { max: told.expected.length, value: told.checks.length, "aria-label": t("inspect") }) : null,
    h("p", {}, t("inspect.progress", { n: told.checks.length, of: told.expected.length }), " \u00b7 ", full(told.started_at)),
    h("p", {}, totals(told.totals)),
    h("ul", { class: "checks" },
      sorted.map((one) => h("li", { class: "check " + VERDICT[one.verdict] },
        mark(VERDICT[one.verdict]),
        h("div", {},
          h("p", { class: "title" }, h("strong", {}, both(one.title)), " ", t("verdict." + one.verdict),
            h("span", { class: "hint" }, " ", number(one.duration_ms), "\u00a0ms")),
          both(one.cause) && one.codes.length ? h("p", {}, both(one.cause), " ", h("code", {}, one.codes[0])) : null,
          both(one.step) ? h("p", { class: "step" }, h("span", { class: "tag" }, t("next")), " ", both(one.step),
            one.owner ? [" \u00b7 ", word("owner", one.owner)] : null) : null,
          !one.codes.length && both(one.why) ? h("p", { class: "hint" }, both(one.why)) : null,
          one.follows ? h("p", { class: "hint" }, t("inspect.follows"), h("code", {}, one.follows)) : null,
          Object.keys(one.evidence).length
            ? h("details", { "data-at": "evidence-" + one.name }, h("summary", {}, t("evidence")),
                pairs(Object.keys(one.evidence).sort().map((name) => [name, value(one.evidence[name])])))
            : null))),
      running ? left.map((name) => h("li", { class: "check waiting" }, mark("busy"), h("div", {}, h("p", { class: "hint" }, word("component", name.split(":")[0]) + (name.indexOf(":") > 0 ? " " + name.split(":")[1] : ""))))) : null),
    running ? null : h("div", { class: "buttons" }, h("button", { type: "button", onclick: () => paper(told.number) }, t("slip.view"))));
}

async function paper(number_) {
  const lang = document.documentElement.lang.slice(0, 2);
  const told = await get("/v1/inspections/" + number_ + "/slip", { columns: 32, lang: lang }).catch((error) => error);
  dialog.form({
    title: t("inspect.title", { n: number_ }),
    body: [told.lines ? h("pre", { class: "slip", tabindex: "0" }, told.lines.join("\n")) : trouble(told)],
    accept: t("print.browser"),
    work: async () => { window.print(); },
  }).catch(() => {});
}
