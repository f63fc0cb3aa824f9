// The terminal at a glance: what to do next, unsent money, alarms, components, channels.

import { get, post } from "./api.js";
import { cause } from "./causes.js";
import { card, h, pairs, say, state, swap, table } from "./dom.js";
import * as dialog from "./dialog.js";
import { ago, short, sums, until, value, when } from "./format.js";
import { may } from "./session.js";
import { nextStep } from "./verdict.js";
import { both, t, word } from "./words.js";

export function overview(it) {
  const first = h("div", { class: "fill" });
  const second = h("div", { class: "fill" });
  const third = h("div", { class: "fill" });
  swap(it.main, h("h1", {}, t("nav.overview")), first, second, third);

  const next = () => it.fill(first, async () => {
    const told = await get("/v1/explain", {}, it.signal);
    return card(t("overview.now"), { class: "lead" }, nextStep(told),
      h("p", { class: "links" }, h("a", { href: "#/why" }, t("overview.why"))));
  });
  const money = () => it.fill(second, async () => {
    const told = await get("/v1/status", {}, it.signal);
    return [backlog(told.backlog, told.store_problem), channels(told)];
  });
  const health = () => it.fill(third, async () => {
    const told = await get("/v1/health", {}, it.signal);
    return [alarms(told, health), components(told)];
  });
  next();
  money();
  health();
  it.follow(["backlog", "transaction"], () => { money(); next(); });
  it.follow(["health", "device", "inspection"], () => { health(); next(); });
  it.every(30000, () => { money(); health(); });
}

function figure(name, number, under, attributes) {
  return h("div", Object.assign({ class: "figure" }, attributes), h("dt", {}, name),
    h("dd", {}, h("span", { class: "big" }, number), under ? h("span", { class: "under" }, under) : null));
}

export function backlog(told, problem) {
  if (!told) {
    return card(t("backlog"), {}, state("unknown", t("unknown")), problem ? h("p", {}, problem) : null);
  }
  const states = Object.keys(told.by_state);
  return card(
    t("backlog"),
    { id: "backlog" },
    h(
      "dl",
      { class: "figures" },
      figure(t("backlog.count"), told.total.count, sums(told.total.by_currency)),
      figure(t("backlog.oldest"), told.oldest_at ? ago(told.oldest_at) : t("none"),
        told.oldest_at ? short(told.oldest_at) : ""),
      figure(t("backlog.in_doubt"), told.in_doubt.count, sums(told.in_doubt.by_currency),
        { class: told.in_doubt.count ? "figure warn" : "figure" }),
      figure(t("backlog.held"), told.held.count, sums(told.held.by_currency),
        { class: told.held.count ? "figure warn" : "figure" }),
      figure(t("backlog.next"), told.next_attempt_at ? until(told.next_attempt_at) : t("none"),
        told.next_attempt_at ? short(told.next_attempt_at) : ""),
    ),
    told.in_doubt.count ? h("p", { class: "note" }, t("backlog.doubt_note")) : null,
    pairs([
      [t("backlog.blocking"), told.blocking_cause ? cause(told.blocking_cause) : ""],
      [t("backlog.by_state"), states.length
        ? states.map((name) => word("state", name) + " " + told.by_state[name].count).join(" \u00b7 ") : ""],
      [t("backlog.by_cause"), Object.keys(told.by_cause).length
        ? h("ul", { class: "plain" }, Object.keys(told.by_cause).sort().map((code) =>
            h("li", {}, told.by_cause[code] + " \u00d7 ", cause(code)))) : ""],
      [t("backlog.quarantined"), told.quarantined === null ? t("unknown")
        : told.quarantined.count ? told.quarantined.count + " \u00b7 " + sums(told.quarantined.by_currency) : ""],
    ]),
    told.total.count ? h("p", { class: "links" }, h("a", { href: "#/payments" }, t("backlog.list"))) : null,
  );
}

const CHANNEL = { ok: "ok", backing_off: "warning", paused: "fault", disabled: "not_fitted", shadow: "not_observable" };

function channels(told) {
  const rows = told.channels.map((one) => h("tr", {},
    h("th", { scope: "row" }, one.name),
    h("td", {}, state(CHANNEL[one.state] || "unknown", word("channel", one.state))),
    h("td", {}, one.cause ? cause(one.cause) : t("none")),
    h("td", {}, when(one.last_success_at)),
    h("td", {}, one.next_attempt_at ? until(one.next_attempt_at) : t("none"))));
  const fleet = told.telemetry;
  if (fleet && fleet.configured) {
    rows.push(h("tr", {}, h("th", { scope: "row" }, t("channel.fleet")),
      h("td", {}, state(fleet.connected ? "ok" : "fault", t(fleet.connected ? "connected" : "not_connected"))),
      h("td", {}, fleet.error ? h("code", {}, fleet.error) : t("none")),
      h("td", {}, t("channel.queued", { n: fleet.queued })), h("td", {}, fleet.endpoint)));
  }
  return card(t("channels"), {},
    rows.length
      ? table(t("channels"), [t("channel.name"), t("channel.state"), t("channel.cause"), t("channel.last"), t("channel.next")], rows)
      : h("p", {}, t("channels.none")));
}

const RANK = ["critical", "error", "major", "warning", "minor", "info", "notice"];

function alarms(told, again) {
  const open = told.alarms.filter((one) => one.shown_at && !one.suppressed_by);
  const under = (code) => told.alarms.filter((one) => one.suppressed_by === code);
  open.sort((a, b) => RANK.indexOf(a.severity) - RANK.indexOf(b.severity) || (a.since_at < b.since_at ? -1 : 1));
  return card(
    h("h2", {}, t("alarms"), h("span", { class: "count" }, open.length)),
    { id: "alarms" },
    open.length
      ? h("ul", { class: "alarms" }, open.map((one) => alarm(one, under(one.code), again)))
      : h("p", {}, state("ok", t("alarms.none"))),
  );
}

function alarm(one, follow, again) {
  const kind = !one.known ? "unknown" : /warn|minor|info|notice/.test(one.severity) ? "warning" : "fault";
  return h(
    "li",
    { class: "alarm " + kind },
    h("h3", {}, state(kind, both(one.title))),
    h("p", { class: "step" }, h("span", { class: "tag" }, t("next")), " ", both(one.step)),
    h("p", { class: "owner" }, t("owner"), h("strong", {}, word("owner", one.owner)), " \u00b7 ",
      word("severity", one.severity), " \u00b7 ", t("since"), when(one.since_at), " (", ago(one.since_at), ") \u00b7 ",
      h("code", {}, one.code)),
    one.known ? null : h("p", { class: "note" }, t("alarm.not_known")),
    follow.length ? h("p", { class: "hint" }, t("consequences"),
      follow.map((two, at) => (at ? ", " : "") + both(two.title))) : null,
    one.acknowledged_by
      ? h("p", { class: "taken" }, state("busy", t("alarm.taken", { who: one.acknowledged_to || one.acknowledged_by })),
          " ", when(one.acknowledged_at),
          one.acknowledged_until ? [" ", t("alarm.until"), when(one.acknowledged_until)] : null,
          one.acknowledged_note ? h("q", {}, one.acknowledged_note) : null)
      : null,
    may()
      ? h("div", { class: "buttons" },
          h("button", { type: "button", "data-at": "take-" + one.code, onclick: () => take(one, again) },
            t(one.acknowledged_by ? "alarm.change" : "alarm.take")),
          one.acknowledged_by
            ? h("button", {
                type: "button", "data-at": "back-" + one.code,
                onclick: () => post("/v1/alarms/" + one.code + "/release").then(again, again),
              }, t("alarm.release"))
            : null)
      : null,
  );
}

const HOURS = [0, 1, 4, 12, 24];

function take(one, again) {
  const to = h("input", { id: "ack-to", maxlength: 60, autocomplete: "name", value: one.acknowledged_to });
  const note = h("textarea", { id: "ack-note", maxlength: 200, rows: 3, value: one.acknowledged_note });
  const hours = h("select", { id: "ack-until" }, HOURS.map((n) =>
    h("option", { value: n }, n ? t("span.h", { n: n }) : t("alarm.until_end"))));
  dialog.form({
    title: t("alarm.take"),
    body: [
      h("p", {}, h("strong", {}, both(one.title))),
      h("p", { class: "hint" }, t("alarm.take.what")),
      h("label", { for: "ack-to" }, t("alarm.to")), to,
      h("label", { for: "ack-note" }, t("alarm.note")), note,
      h("label", { for: "ack-until" }, t("alarm.until")), hours,
    ],
    accept: t("alarm.take"),
    work: () => {
      const body = { note: note.value.trim() };
      if (to.value.trim()) body.to = to.value.trim();
      const n = Number(hours.value);
      if (n) body.until = new Date(Date.now() + n * 3600000).toISOString();
      return post("/v1/alarms/" + one.code + "/acknowledge", body);
    },
  }).then(() => { say(t("alarm.taken.said")); again(); }, () => {});
}

// ok, fault, unknown and not observable are four different things.
function kindOf(component, alarms) {
  if (component.outcome !== "reading") {
    return component.outcome === "unknown" ? "unknown" : component.outcome;
  }
  const mine = alarms.filter((one) => one.component === component.component && one.shown_at && one.known);
  if (!mine.length) return "ok";
  return mine.some((one) => !/warn|minor|info|notice/.test(one.severity)) ? "fault" : "warning";
}

function components(told) {
  const order = ["fault", "warning", "unknown", "ok", "not_observable", "not_fitted"];
  const list = told.components.map((one) => ({ one: one, kind: kindOf(one, told.alarms) }));
  list.sort((a, b) => order.indexOf(a.kind) - order.indexOf(b.kind) || (a.one.component < b.one.component ? -1 : 1));
  return card(
    t("components"),
    { id: "components" },
    h("ul", { class: "tiles" }, list.map((two) => h("li", { class: "tile " + two.kind },
      h("details", { "data-at": "part-" + two.one.component },
        h("summary", {}, h("span", { class: "name" }, word("component", two.one.component)),
          state(two.kind, t("kind." + two.kind))),
        two.one.reason ? h("p", {}, two.one.reason) : null,
        pairs(Object.keys(two.one.values).sort().map((name) => [word("value", name), value(two.one.values[name])])),
        h("p", { class: "hint" }, t("as_of"), when(two.one.at)))))),
  );
}
