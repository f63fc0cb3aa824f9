// How long payments took, and what goes with lateness. No share without its counts and interval.

import { get } from "./api.js";
import { bars } from "./chart.js";
import { card, h, pairs, state } from "./dom.js";
import { number, percent, span } from "./format.js";
import { both, t } from "./words.js";

const HOUR = 3600000;

function share(one) {
  const counts = one.count + " / " + one.of;
  return one.rate === null ? counts : counts + " \u00b7 " + percent(one.rate);
}

function interval(one) {
  return one.low === null ? t("none") : percent(one.low) + " \u2013 " + percent(one.high);
}

export async function statistics(it, hours) {
  const since = new Date(Date.now() - hours * HOUR).toISOString();
  const told = await get("/v1/stats", { since: since }, it.signal);
  if (!told.payments) return card(t("stats"), {}, h("p", {}, t("stats.none")));
  const times = told.times;
  return card(t("stats"), {},
    pairs([
      [t("stats.payments"), String(told.payments)], [t("stats.confirmed"), String(told.confirmed)],
      [t("stats.waiting"), told.waiting ? String(told.waiting) : ""], [t("stats.ended"), told.ended ? String(told.ended) : ""],
      [t("stats.clock"), told.clock ? String(told.clock) : ""],
      [t("stats.late", { span: span(told.late_after_s) }), share(told.late) + (told.late.rate === null ? "" : " (" + interval(told.late) + ")")],
      times ? [t("stats.times"), t("stats.percentiles", { a: seconds(times.p50_s), b: seconds(times.p90_s), c: seconds(times.p99_s), d: seconds(times.longest_s) })] : null,
    ]),
    times ? histogram(told) : null,
    told.causes.length ? bars(t("stats.causes"), told.causes.map((one) => ({
      name: both(one.title), value: one.share.rate || 0, low: one.share.low, high: one.share.high, text: share(one.share), kind: "warning",
    })), [t("payment.cause"), t("stats.share"), t("stats.interval")],
    told.causes.map((one) => [both(one.title), share(one.share), interval(one.share)]), 1) : null,
    told.factors.length ? h("div", {}, h("h3", {}, t("stats.factors")), h("p", { class: "hint" }, t("stats.factors.what")), told.factors.map(factor)) : null);
}

function seconds(one) {
  if (one < 0.1) return "< " + t("span.s", { n: number(0.1, 1) });
  return one < 10 ? t("span.s", { n: number(one, 1) }) : span(one);
}

function histogram(told) {
  const name = (one) => (one.below_s === null ? "\u2265 " + seconds(one.from_s) : "< " + seconds(one.below_s));
  const list = told.histogram.slice();
  while (list.length > 1 && !list[list.length - 1].count) list.pop();
  return bars(t("stats.histogram"), list.map((one) => ({
    name: name(one), value: one.count, text: String(one.count), kind: one.from_s >= told.late_after_s ? "warning" : "ok",
  })), [t("stats.took"), t("stats.count")], list.map((one) => [name(one), one.count]));
}

const KIND = { goes_with: "warning", same: "ok", too_few: "unknown" };

function factor(one) {
  return h("details", { "data-at": "factor-" + one.name },
    h("summary", {}, both(one.title), " ", state(KIND[one.verdict] || "unknown", t("factor." + one.verdict))),
    bars(both(one.title), one.groups.map((group) => ({
      name: both(group.label), value: group.share.rate || 0, low: group.share.low, high: group.share.high,
      text: share(group.share), kind: group.verdict === "more" ? "warning" : "plain",
    })), [both(one.title), t("stats.share"), t("stats.interval"), t("stats.says"), "p"],
    one.groups.map((group) => [both(group.label), share(group.share), interval(group.share), t("group." + group.verdict), group.p === null ? t("none") : number(group.p, 3)]), 1));
}
