// What was wrong and when, and what late payments have in common.

import { get } from "./api.js";
import { card, h, swap } from "./dom.js";
import { timeline } from "./chart.js";
import { full, short, span } from "./format.js";
import { statistics } from "./stats.js";
import { both, t, word } from "./words.js";

const HOUR = 3600000;
const RANGES = [24, 168, 720];
const PAGES = 6;

let range = 24;

export function past(it) {
  const chart = h("div", { class: "fill" });
  const stats = h("div", { class: "fill" });
  const tabs = h("div", { class: "tabs", role: "group", "aria-label": t("history.range") });
  swap(it.main, h("h1", {}, t("nav.history")), tabs, chart, stats);
  const look = () => {
    swap(tabs, RANGES.map((one) => h("button", {
      type: "button", "data-at": "range-" + one, "aria-pressed": one === range ? "true" : "false",
      onclick: () => { range = one; look(); },
    }, t("history.last", { span: span(one * 3600) }))));
    it.fill(chart, () => health(it));
    it.fill(stats, () => statistics(it, range));
  };
  look();
  it.follow(["health"], () => it.fill(chart, () => health(it)));
}

async function lines(it, since) {
  let all = [];
  let given = { since: since, limit: 500 };
  for (let page = 0; page < PAGES; page += 1) {
    const told = await get("/v1/health/history", given, it.signal);
    all = all.concat(told.lines);
    if (told.next_before === null) return { lines: all.reverse(), more: false };
    given = { since: since, limit: 500, before: told.next_before, until: told.next_until };
  }
  return { lines: all.reverse(), more: true };
}

async function health(it) {
  const until = Date.now();
  const since = until - range * HOUR;
  const [kept, now] = await Promise.all([lines(it, since), get("/v1/health", {}, it.signal)]);
  const open = {};
  const spans = [];
  const close = (code, to, held) => {
    if (!open[code]) return;
    spans.push(Object.assign(open[code], { to: to, open: held }));
    delete open[code];
  };
  const begin = (code, title, severity, from) => {
    open[code] = { code: code, name: both(title), from: from, kind: /warn|minor|info|notice/.test(severity) ? "warning" : "fault" };
  };
  kept.lines.forEach((line) => {
    const at = new Date(line.at).getTime();
    if (line.what === "began") {
      close(line.code, at, false);
      begin(line.code, line.title, line.severity, at);
    } else if (line.what === "ended") {
      if (!open[line.code] && !spans.some((one) => one.code === line.code)) begin(line.code, line.title, line.severity, since);
      close(line.code, at, false);
    }
  });
  now.alarms.forEach((alarm) => {
    if (!open[alarm.code]) begin(alarm.code, alarm.title, alarm.severity, new Date(alarm.since_at).getTime());
  });
  Object.keys(open).forEach((code) => close(code, until, true));
  if (!spans.length) return card(t("history.health"), {}, h("p", {}, t("history.none")));
  const names = spans.map((one) => one.name).filter((name, at, all) => all.indexOf(name) === at);
  spans.forEach((one) => {
    one.text = one.name + ": " + short(one.from) + " \u2013 " + (one.open ? t("history.still") : short(one.to));
  });
  const rows = spans.slice().sort((a, b) => b.from - a.from).map((one) => [
    one.name, word("kind", one.kind), full(one.from), one.open ? t("history.still") : full(one.to), span((one.to - one.from) / 1000),
  ]);
  const day = range > 24 ? (ms) => short(ms).replace(/ ?\d\d:\d\d:\d\d$/, "") : (ms) => short(ms).replace(/:\d\d$/, "");
  return card(t("history.health"), {},
    timeline(t("history.when"), names, spans, since, until, day,
      [t("history.condition"), t("payment.state"), t("history.from"), t("history.to"), t("history.took")], rows),
    kept.more ? h("p", { class: "hint" }, t("history.more")) : null);
}
