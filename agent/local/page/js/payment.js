// One payment: may it be taken again, its story in order, why, and what a technician may do with it.

import { get, post } from "./api.js";
import { cause } from "./causes.js";
import { card, h, mark, pairs, say, swap } from "./dom.js";
import * as dialog from "./dialog.js";
import { amount, full, short, when } from "./format.js";
import { standing } from "./payments.js";
import { may } from "./session.js";
import { slip } from "./slips.js";
import { verdict } from "./verdict.js";
import { both, t, word } from "./words.js";

export function payment(it) {
  const key = it.rest[0];
  const head = h("div", { class: "fill" });
  const reason = h("div", { class: "fill" });
  const story = h("div", { class: "fill" });
  const voucher = h("div", { class: "fill" });
  it.title(t("payment.title", { key: key }));
  swap(
    it.main,
    h("p", { class: "links" }, h("a", { href: "#/payments" }, t("payment.all"))),
    h("h1", { class: "key" }, key),
    h("div", { class: "two" }, h("div", {}, head, reason), h("div", {}, story, voucher)),
  );
  const path = "/v1/transactions/" + encodeURIComponent(key);
  const look = () => {
    it.fill(reason, async () => card(h("h2", { class: "unseen" }, t("nav.why")), {},
      verdict(await get(path + "/explain", {}, it.signal), "h3")));
    it.fill(head, async () => {
      const one = await get(path, { history: true }, it.signal);
      it.fill(story, () => told(it, one, path));
      return facts(one, look);
    });
  };
  look();
  swap(voucher, slip(it, "voucher", key, t("payment.voucher")));
  it.follow(["transaction"], (name, text) => {
    if (text.indexOf('"' + key + '"') >= 0) look();
  });
}

function facts(one, again) {
  const result = one.result || {};
  return card(
    h("h2", {}, word("sort", one.kind), " ", h("span", { class: "money" }, amount(one.amount_minor, one.currency))),
    {},
    h("p", {}, standing(one)),
    pairs([
      [t("payment.time"), full(one.occurred_at)],
      [t("payment.posting"), word("posting", one.posting)],
      [t("payment.terminal"), one.terminal_id + " \u00b7 " + one.merchant_id],
      [t("payment.stan"), [one.stan, one.batch].filter(Boolean).join(" \u00b7 ")],
      [t("payment.rrn"), result.rrn || one.rrn],
      [t("payment.code"), result.response_code],
      [t("payment.reference"), result.reference],
      [t("payment.posted_amount"), result.posted_amount_minor === null || result.posted_amount_minor === undefined
        || result.posted_amount_minor === one.amount_minor ? "" : amount(result.posted_amount_minor, one.currency)],
      [t("payment.card"), one.card ? [one.card.scheme, one.card.masked].filter(Boolean).join(" ") : ""],
      [t("payment.saw"), word("saw", one.customer_saw)],
      [t("payment.sent"), one.sent ? String(one.sent) : ""],
      [t("payment.next"), one.next_attempt_at ? short(one.next_attempt_at) : ""],
      [t("payment.refers"), one.refers_to
        ? h("a", { href: "#/payments/" + encodeURIComponent(one.refers_to) }, one.refers_to) : ""],
      [t("payment.flags"), one.flags.join(", ")],
    ]),
    actions(one, again),
  );
}

// What may be done by hand, each with what will happen before it happens.
function actions(one, again) {
  if (!may() || one.final) return null;
  const possible = [];
  const app = one.delivery === "app";
  if (!app && one.state !== "held") possible.push("retry", "hold");
  if (one.state === "held") possible.push("release");
  if (one.state === "held" && !app) possible.push("abandon");
  if (app) return h("p", { class: "hint" }, t("action.by_app"));
  return h("div", { class: "buttons" }, possible.map((name) =>
    h("button", {
      type: "button", "data-at": "do-" + name, class: name === "abandon" ? "danger" : null,
      onclick: () => ask(name, one, again),
    }, t("action." + name))));
}

function ask(name, one, again) {
  const fields = {};
  const field = (id, label, attributes, tag) => {
    fields[id] = h(tag || "input", Object.assign({ id: "do-" + id }, attributes));
    return [h("label", { for: "do-" + id }, label), fields[id]];
  };
  const body = [h("p", {}, h("strong", {}, word("sort", one.kind) + " " + amount(one.amount_minor, one.currency)),
    h("br"), h("code", {}, one.key)), h("p", {}, t("action." + name + ".what"))];
  if (one.in_doubt) body.push(h("p", { class: "note" }, t("action.doubt")));
  if (name === "hold") body.push(field("reason", t("action.reason"), { maxlength: 120 }));
  if (name === "abandon") {
    const outcomes = ["not_at_host", "settled_elsewhere", "posted_manually"];
    fields.outcome = h("select", { id: "do-outcome" }, outcomes.map((two) => h("option", { value: two }, t("outcome." + two))));
    body.push(h("label", { for: "do-outcome" }, t("action.outcome")), fields.outcome,
      field("reference", t("action.reference"), { required: true, minlength: 3, maxlength: 120 }),
      field("said_by", t("action.said_by"), { required: true, minlength: 2, maxlength: 60 }));
  }
  dialog.form({
    title: t("action." + name), body: body, accept: t("action." + name + ".do"), danger: name === "abandon",
    work: () => {
      const given = { key: one.key };
      if (name === "hold" && fields.reason.value.trim()) given.reason = fields.reason.value.trim();
      if (name === "abandon") {
        given.confirmation = { outcome: fields.outcome.value, reference: fields.reference.value.trim(), said_by: fields.said_by.value.trim() };
      }
      return post("/v1/queue/" + name, given);
    },
  }).then(() => { say(t("action.done")); again(); }, () => {});
}

const EVENT = {
  posted: "ok", reverse: "ok", not_found: "ok", declined: "fault", refused: "fault", damage: "fault",
  no_answer: "unknown", not_sent: "warning", hold: "warning", lapse: "not_fitted", void: "not_fitted",
  abandon: "not_fitted", late: "not_observable",
};

const TURNS = { began: "story.health.begin", ended: "story.health.end" };

// Everything known of this payment in order of time, and what the terminal was like meanwhile.
async function told(it, one, path) {
  const lines = [
    { at: one.occurred_at, kind: "ok", title: t("story.captured"),
      more: one.app ? one.app.name + " " + one.app.version : "" },
    { at: one.stored_at, kind: "ok", title: t("story.stored"), more: t("story.stored.what") },
  ];
  if (one.first_attempt_at) {
    lines.push({ at: one.first_attempt_at, kind: "unknown", title: t("story.app_tried", { n: one.attempts }) });
  }
  (one.history || []).filter((step) => step.event !== "submitted").forEach((step) => lines.push({
    at: step.first_at, kind: EVENT[step.event] || "busy", title: word("event", step.event),
    more: step.note, cause: step.cause,
    count: step.count > 1 ? t("story.times", { n: step.count, at: short(step.last_at) }) : "",
    by: step.actor && step.actor !== "agent" ? step.actor : "",
    doubt: step.in_doubt,
  }));
  if (one.result && one.result.posted_at) {
    lines.push({ at: one.result.posted_at, kind: "ok", title: t("story.host"),
      more: [one.result.response_code, one.result.rrn, one.result.text].filter(Boolean).join(" \u00b7 ") });
  }
  const [reports, health] = await Promise.all([
    get(path + "/stages", {}, it.signal).catch(() => ({ stages: [], batch: null })),
    get("/v1/health/history", { since: ms(one.occurred_at), until: last(one), limit: 100 }, it.signal).catch(() => null),
  ]);
  reports.stages.forEach((report) => lines.push({
    at: report.at, kind: report.effect === "contradicts" ? "fault" : "busy",
    title: t("story.app", { stage: word("report", report.stage) }), more: report.outcome ? word("report", report.outcome) : "",
  }));
  if (reports.batch && reports.batch.closed_at) {
    lines.push({ at: reports.batch.closed_at, kind: "ok", title: t("story.batch"), more: reports.batch.batch });
  }
  ((health && health.lines) || []).filter((event) => TURNS[event.what]).forEach((event) => lines.push({
    at: event.at, kind: event.what === "ended" ? "ok" : "warning", side: true,
    title: t(TURNS[event.what], { title: both(event.title) }), cause: event.code,
  }));
  lines.sort((a, b) => new Date(a.at) - new Date(b.at));
  return card(t("story"), {},
    h("ol", { class: "story" }, lines.map(line)),
    health ? null : h("p", { class: "hint" }, t("story.no_health")));
}

function ms(at) {
  return new Date(at).getTime();
}

function last(one) {
  return one.final ? ms(one.changed_at) : 0;
}

function line(one) {
  return h("li", { class: one.side ? "side" : null }, mark(one.kind),
    h("div", {}, h("p", { class: "at" }, when(one.at)),
      h("p", { class: "title" }, one.title, one.doubt ? " \u00b7 " + t("in_doubt") : null),
      one.more ? h("p", {}, one.more) : null,
      one.count ? h("p", {}, one.count) : null,
      one.by ? h("p", { class: "hint" }, t("story.by", { who: one.by })) : null,
      one.cause ? h("p", { class: "hint" }, one.side ? h("code", {}, one.cause) : cause(one.cause)) : null));
}
