// The outage drill: what will happen is said first, then its steps as they end.

import { get, post } from "./api.js";
import { card, h, mark, say, state, swap, table } from "./dom.js";
import { trouble } from "./dialog.js";
import * as dialog from "./dialog.js";
import { full, span, when } from "./format.js";
import { may } from "./session.js";
import { both, t, word } from "./words.js";

const VERDICT = { pass: "ok", fail: "fault", skipped: "not_fitted" };
const RESULT = { passed: "ok", failed: "fault", broken_off: "unknown" };

export function drills(it, place) {
  const shown = h("div", { class: "fill" });
  const list = h("div", { class: "fill" });
  const look = () => it.fill(list, async () => {
    const told = (await get("/v1/drills", { limit: 10 }, it.signal)).drills;
    if (!told.length) return h("p", { class: "hint" }, t("drill.none"));
    return table(t("drill.past"), [t("reconcile.number"), t("reconcile.when"), t("inspect.result"), t("drill.records")],
      told.map((one) => h("tr", {},
        h("th", { scope: "row" }, h("button", { type: "button", class: "link", "data-at": "drill-" + one.number, onclick: () => follow(it, shown, one.number) }, "#" + one.number)),
        h("td", {}, when(one.started_at)),
        h("td", {}, one.state === "running" ? state("busy", t("running")) : state(RESULT[one.result] || "unknown", word("drill", one.result))),
        h("td", {}, one.records))));
  });
  swap(place,
    card(t("drill"), {}, h("p", {}, t("drill.what")),
      may() ? h("div", { class: "buttons" }, h("button", { type: "button", id: "drill", onclick: () => begin(it, shown, look) }, t("drill.go")))
        : h("p", { class: "hint" }, t("needs_technician"))),
    shown, list);
  look();
}

function begin(it, shown, look) {
  const records = h("input", { id: "drill-records", type: "number", min: 1, max: 200, value: 20, required: true });
  const restart = h("input", { id: "drill-restart", type: "checkbox" });
  dialog.form({
    title: t("drill"),
    body: [
      h("ol", { class: "guided" }, [1, 2, 3, 4].map((n) => h("li", {}, t("drill.step." + n)))),
      h("label", { for: "drill-records" }, t("drill.records")), records,
      h("label", { class: "check-label" }, restart, " ", t("drill.restart")),
    ],
    accept: t("drill.go"),
    work: () => post("/v1/drills", { records: Number(records.value), restart: restart.checked }),
  }).then((told) => follow(it, shown, told.number || "last").then(look), () => {});
}

async function follow(it, shown, which) {
  let done = 0;
  let waitS = 0;
  try {
    for (;;) {
      const told = await get("/v1/drills/" + which, { after: done, wait_s: waitS }, it.signal);
      if (!it.alive()) return;
      waitS = 15;
      done = told.steps.length;
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
  return card(
    h("h2", {}, t("drill.title", { n: told.number }), " ",
      running ? state("busy", t("running")) : state(RESULT[told.result] || "unknown", word("drill", told.result))),
    { id: "drilled" },
    running ? h("progress", { max: told.expected.length, value: told.steps.length, "aria-label": t("drill") }) : h("p", { class: "big" }, both(told.said)),
    h("p", { class: "hint" }, full(told.started_at), told.ended_at ? " \u00b7 " + span((new Date(told.ended_at) - new Date(told.started_at)) / 1000) : ""),
    h("ol", { class: "checks" },
      told.steps.map((one) => h("li", { class: "check " + VERDICT[one.verdict] }, mark(VERDICT[one.verdict]),
        h("div", {}, h("p", { class: "title" }, h("strong", {}, both(one.title)), " ", t("step." + one.verdict),
          h("span", { class: "hint" }, " ", one.duration_ms, "\u00a0ms")), h("p", {}, both(one.said)))))));
}
