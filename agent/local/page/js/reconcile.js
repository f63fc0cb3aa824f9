// The bank's list against what this terminal took: sent in pieces, followed, told by class.

import { get, post } from "./api.js";
import { card, download, h, mark, pairs, say, state, swap, table } from "./dom.js";
import { trouble } from "./dialog.js";
import { amount, full, sums, when } from "./format.js";
import { may } from "./session.js";
import { lang, t, word } from "./words.js";

const PIECE = 196608;
const GOOD = ["matched"];

export function reconcile(it) {
  if (it.rest[0]) one(it, it.rest[0]);
  else all(it);
}

function all(it) {
  const past = h("div", { class: "fill" });
  const told = h("div", { class: "fill" });
  swap(it.main, h("h1", {}, t("nav.reconcile")), may() ? upload(it, told) : card(t("reconcile.new"), {}, h("p", {}, t("reconcile.sign_in"))), told, past);
  it.fill(past, async () => {
    const list = (await get("/v1/reconciliations", { limit: 20 }, it.signal)).reconciliations;
    if (!list.length) return card(t("reconcile.past"), {}, h("p", {}, t("reconcile.none")));
    return table(t("reconcile.past"),
      [t("reconcile.number"), t("reconcile.name"), t("reconcile.days"), t("payment.state"), t("reconcile.lines"), t("reconcile.when")],
      list.map((line) => h("tr", {},
        h("th", { scope: "row" }, h("a", { href: "#/reconcile/" + line.number, "data-at": "list-" + line.number }, "#" + line.number)),
        h("td", {}, line.name || t("none")), h("td", { class: "tight" }, line.days.join(" \u2013 ")), h("td", {}, standing(line)),
        h("td", {}, line.lines), h("td", {}, when(line.started_at)))));
  });
}

function standing(line) {
  const kind = line.state === "refused" ? "fault" : line.state === "running" ? "busy"
    : Object.keys(line.counts).some((name) => GOOD.indexOf(name) < 0 && line.counts[name]) ? "warning" : "ok";
  return state(kind, word("list", line.state === "done" && kind === "warning" ? "differs" : line.state));
}

function upload(it, place) {
  const file = h("input", { id: "list-file", type: "file", required: true, accept: ".csv,.txt,.json,.dat,text/csv,text/plain,application/json" });
  const day = h("input", { id: "list-day", type: "date" });
  const profile = h("input", { id: "list-profile", maxlength: 64, pattern: "[A-Za-z0-9_-]*", autocomplete: "off" });
  const go = h("button", { type: "submit", class: "main" }, t("reconcile.go"));
  return card(t("reconcile.new"), {},
    h("p", {}, t("reconcile.what")),
    h("form", {
      onsubmit: async (event) => {
        event.preventDefault();
        if (!file.files.length) {
          file.focus();
          swap(place, trouble({ title: t("missing.title"), detail: t("reconcile.choose") }));
          return;
        }
        go.disabled = true;
        try {
          await send(it, file.files[0], { settled_on: day.value || undefined, profile: profile.value.trim() || undefined }, place);
        } catch (error) {
          if (error.name !== "AbortError") swap(place, trouble(error));
        }
        go.disabled = false;
      },
    },
    h("label", { for: "list-file" }, t("reconcile.file")), file,
    h("details", { "data-at": "list-more" }, h("summary", {}, t("reconcile.more")),
      h("label", { for: "list-day" }, t("reconcile.day")), day,
      h("label", { for: "list-profile" }, t("reconcile.profile")), profile,
      h("p", { class: "hint" }, t("reconcile.profile.hint"))),
    h("div", { class: "buttons" }, go)));
}

function base64(piece) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result.slice(reader.result.indexOf(",") + 1));
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(piece);
  });
}

async function send(it, file, given, place) {
  const bar = h("progress", { max: file.size || 1, value: 0, "aria-label": t("reconcile.sending") });
  const word_ = h("p", {}, t("reconcile.sending"));
  swap(place, card(file.name, {}, bar, word_));
  const begun = await post("/v1/reconciliations", Object.assign({ file_name: file.name, size_bytes: file.size }, given));
  if (begun.import_id) {
    const base = "/v1/reconciliations/" + begun.import_id;
    try {
      for (let at = 0, number = 0; at < file.size || number === 0; at += PIECE, number += 1) {
        await post(base + "/pieces/" + number, { data: await base64(file.slice(at, at + PIECE)) });
        bar.value = Math.min(file.size, at + PIECE);
        word_.textContent = t("reconcile.sent", { n: Math.floor((bar.value * 100) / (file.size || 1)) });
      }
    } catch (error) {
      post(base + "/end", { give_up: true }).catch(() => {});
      throw error;
    }
    const ended = await post(base + "/end");
    say(t("reconcile.read"));
    if (it.alive()) location.hash = "#/reconcile/" + ended.reconciliation.number;
  } else if (it.alive()) {
    say(t("reconcile.known"));
    location.hash = "#/reconcile/" + begun.number;
  }
}

function one(it, number) {
  const head = h("div", { class: "fill" });
  const found = h("div", { class: "fill" });
  let only = "";
  swap(it.main, h("p", { class: "links" }, h("a", { href: "#/reconcile" }, t("reconcile.all"))),
    h("h1", {}, t("reconcile.title", { n: number })), head, found);
  const path = "/v1/reconciliations/" + encodeURIComponent(number);
  const follow = async () => {
    let told = await get(path, { limit: 0 }, it.signal);
    let before = "";
    while (told.reconciliation.state === "running" && it.alive()) {
      const stage = told.stage;
      if (stage !== before) say(word("reading", stage));
      before = stage;
      swap(head, card(told.reconciliation.name || "#" + number, {}, h("progress", { "aria-label": word("reading", stage) }), h("p", {}, word("reading", stage))));
      told = await get(path, { limit: 0, wait_s: 2 }, it.signal);
    }
    const line = told.reconciliation;
    say(word("list", line.state));
    if (line.state === "done") show();
    return summary(line);
  };
  const summary = (line) => card(line.name || "#" + number, {},
    h("p", {}, standing(line)),
    line.problem ? trouble({ title: t("reconcile.refused"), detail: line.problem, hint: t("reconcile.refused.hint"), code: line.code }) : null,
    line.note ? h("p", {}, state("warning", document.documentElement.lang.indexOf("zh") === 0 ? line.note_zh : line.note)) : null,
    pairs([
      [t("reconcile.days"), line.days.join(" \u2013 ")], [t("reconcile.lines"), String(line.lines)],
      [t("reconcile.payments"), String(line.payments)], [t("reconcile.sums"), sums(line.sums)],
      [t("reconcile.encoding"), line.encoding], [t("reconcile.when"), full(line.started_at)],
    ]),
    line.state === "done"
      ? h("div", { class: "tabs", role: "group", "aria-label": t("reconcile.classes") },
          [""].concat(Object.keys(line.counts).sort()).map((name) => h("button", {
            type: "button", "data-at": "class-" + name, "aria-pressed": name === only ? "true" : "false",
            onclick: () => { only = name; swap(head, summary(line)); show(); },
          }, name ? word("class", name) + " " + line.counts[name] : t("reconcile.differences"))))
      : null,
    line.state === "done" ? h("div", { class: "buttons" }, h("button", { type: "button", onclick: () => csv(path, line, found) }, t("reconcile.csv"))) : null);
  const show = (after, before) => it.fill(found, async () => {
    const page = await get(path, { only: only, after: after || "", limit: 200 }, it.signal);
    const items = (before || []).concat(page.findings);
    if (!items.length) return h("p", {}, state("ok", t(only ? "reconcile.empty" : "reconcile.all_match")));
    return [
      table(t("reconcile.findings"), [t("reconcile.class"), t("reconcile.line"), t("payment.key"), t("reconcile.here"), t("reconcile.listed"), t("reconcile.fee"), t("payment.rrn"), t("reconcile.by"), t("owner.short")], items.map(row)),
      page.after ? h("div", { class: "buttons" }, h("button", { type: "button", onclick: () => show(page.after, items) }, t("page.more"))) : null,
    ];
  });
  it.fill(head, follow);
}

function row(one_) {
  return h("tr", {},
    h("th", { scope: "row" }, h("span", { class: "state" }, mark(GOOD.indexOf(one_.result) >= 0 ? "ok" : one_.owner ? "fault" : "warning"), h("span", {}, word("class", one_.result)))),
    h("td", {}, one_.line || t("none")),
    h("td", {}, one_.key ? h("a", { href: "#/payments/" + encodeURIComponent(one_.key) }, one_.key) : t("none")),
    h("td", { class: "money" }, amount(one_.amount_minor, one_.currency)),
    h("td", { class: "money" }, amount(one_.listed_minor, one_.currency)),
    h("td", { class: "money" }, amount(one_.fee_minor, one_.currency)),
    h("td", {}, one_.rrn || one_.stan || t("none")),
    h("td", {}, one_.matched_by ? word("by", one_.matched_by) + " \u00b7 " + word("confidence", one_.confidence) : t("none")),
    h("td", {}, one_.owner ? word("owner", one_.owner) : t("none")));
}

const COLUMNS = ["n", "result", "code", "owner", "line", "key", "matched_by", "confidence", "amount_minor", "listed_minor", "fee_minor", "currency", "settled_on", "due_on", "occurred_at", "rrn", "stan", "batch", "terminal_id", "detail"];

// A spreadsheet takes what begins with one of these for a formula; in Chinese the wide ones, too.
function cell(value) {
  let text = value === null || value === undefined ? "" : String(value);
  if (typeof value === "string" && /^\s*[=+\-@\uff1d\uff0b\uff0d\uff20]|^[\t\r]/.test(text)) text = "'" + text;
  return '"' + text.replace(/"/g, '""') + '"';
}

async function csv(path, line, place) {
  const parts = ["\ufeff", COLUMNS.join(",") + "\r\n"];
  try {
    let after = 0;
    do {
      const page = await get(path, { only: "all", after: after || "", limit: 500 });
      page.findings.forEach((found) => parts.push(COLUMNS.map((name) => cell(found[name])).join(",") + "\r\n"));
      after = page.after;
    } while (after);
  } catch (error) {
    swap(place, trouble(error));
    return;
  }
  download("reconciliation-" + line.number + "-" + lang() + ".csv", "text/csv;charset=utf-8", parts);
}
