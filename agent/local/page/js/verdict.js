// A verdict as the agent gave it: the same findings in the same order, none added, none dropped.

import { download, h, mark } from "./dom.js";
import { full, when } from "./format.js";
import { get } from "./api.js";
import { trouble } from "./dialog.js";
import { both, lang, t, word } from "./words.js";

export const STAGES = ["captured", "stored", "sent", "host_answered", "batch_closed", "settled"];

// The way of a payment's money: what is proven, what is missing first, what comes after.
export function way(stages) {
  const proven = STAGES.indexOf(stages.proven);
  const missing = stages.missing ? STAGES.indexOf(stages.missing) : -1;
  return h(
    "ol",
    { class: "way", "aria-label": t("way") },
    STAGES.map((name, at) => {
      const kind = at <= proven ? "ok" : at === missing ? "warning" : "open";
      const says = at <= proven ? "way.proven" : at === missing ? "way.missing" : "way.open";
      return h(
        "li",
        { class: at <= proven ? "done" : at === missing ? "here" : "open" },
        mark(kind),
        h("span", { class: "name" }, word("stage", name)),
        h("span", { class: "says" }, t(says)),
      );
    }),
  );
}

// "Take again?" in big words.
export function advice(told) {
  const retry = told.retry;
  if (retry === "not_applicable") return null;
  const kind = { safe_to_retry: "ok", do_not_retry: "fault", already_done: "done" }[retry] || "warning";
  return h(
    "div",
    { class: "again " + kind },
    mark(kind === "done" ? "ok" : kind),
    h("div", {}, h("p", { class: "question" }, t("again")),
      h("p", { class: "big" }, word("retry", retry)),
      h("p", {}, both(told.text))),
  );
}

function guidance(code) {
  const place = h("div", { class: "guide" });
  let asked = false;
  return h(
    "details",
    {
      "data-at": "guide-" + code,
      ontoggle: async (event) => {
        if (!event.target.open || asked) return;
        asked = true;
        try {
          place.appendChild(guide(await get("/v1/causes/" + encodeURIComponent(code))));
        } catch (error) {
          asked = false;
          place.textContent = "";
          place.appendChild(trouble(error));
        }
      },
    },
    h("summary", {}, t("guidance")),
    place,
  );
}

// What to press, what to say to the customer, when to stop, whom to call.
function guide(told) {
  const parts = ["now", "say", "stop", "call"].filter((name) => both(told.guidance[name]));
  return h("dl", { class: "pairs tall" }, parts.map((name) =>
    h("div", {}, h("dt", {}, t("guide." + name)), h("dd", {}, both(told.guidance[name])))));
}

function finding(one, number) {
  return h(
    "li",
    { class: "finding", "data-code": one.code },
    h("h3", {}, number ? h("span", { class: "number" }, number) : null, both(one.title)),
    h("p", { class: "step" }, h("span", { class: "tag" }, t("next")), " ", both(one.step)),
    h("p", { class: "owner" }, t("owner"), h("strong", {}, word("owner", one.owner)),
      one.since_at ? [" \u00b7 ", t("since"), when(one.since_at)] : null,
      " \u00b7 ", h("code", {}, one.code)),
    both(one.reason) ? h("p", {}, both(one.reason)) : null,
    one.evidence.length
      ? h("div", { class: "evidence" }, h("h4", {}, t("evidence")),
          h("ul", {}, one.evidence.map((line) => h("li", {}, both(line)))))
      : null,
    one.consequences.length
      ? h("p", { class: "hint" }, t("consequences"),
          one.consequences.map((code, at) => [at ? ", " : "", h("code", {}, code)]))
      : null,
    guidance(one.code),
  );
}

function list(title, lines) {
  if (!lines.length) return null;
  return h("div", {}, h("h3", {}, title),
    h("ul", { class: "plain" }, lines.map((one) => h("li", {}, both(one)))));
}

export function nextStep(told) {
  const first = told.findings[0];
  if (!first) {
    return h("div", { class: "next calm" }, mark("ok"),
      h("div", {}, h("p", { class: "big" }, both(told.headline)), h("p", {}, t("nothing_wrong"))));
  }
  return h("div", { class: "next" },
    h("p", { class: "question" }, t("next"), " \u00b7 ", word("owner", first.owner)),
    h("p", { class: "big" }, both(first.step)),
    h("p", {}, both(first.title), first.since_at ? [" \u00b7 ", t("since"), when(first.since_at)] : null));
}

function concerned(told) {
  return h("div", {}, h("h3", {}, t("why.payments")),
    h("ul", { class: "plain" }, told.payments.map((one) => h("li", {},
      h("a", { href: "#/payments/" + encodeURIComponent(one.key), "data-at": "about-" + one.key }, one.key),
      " ", both(one.text)))),
    told.payments_total > told.payments.length
      ? h("p", { class: "hint" }, t("omitted", { n: told.payments_total - told.payments.length })) : null);
}

export function verdict(told, level) {
  const name = "verdict-" + (told.key || "terminal");
  return h(
    "div",
    { class: "verdict" },
    h(level || "h2", { class: "headline" }, both(told.headline)),
    told.daemon_alive ? null : h("p", { class: "note" }, t("daemon_dead")),
    told.stages ? way(told.stages) : null,
    advice(told.advice),
    told.facts.length ? h("ul", { class: "facts" }, told.facts.map((one) => h("li", {}, both(one)))) : null,
    told.findings.length
      ? h("ol", { class: "findings" }, told.findings.map((one, at) => finding(one, at + 1)))
      : h("p", {}, t("nothing_wrong")),
    told.payments.length ? concerned(told) : null,
    told.omitted ? h("p", { class: "hint" }, t("omitted", { n: told.omitted })) : null,
    list(t("unknowns"), told.unknowns),
    told.suggestions.length
      ? h("div", {}, h("h3", {}, t("suggestions")), h("p", { class: "hint" }, t("suggestions.what")),
          h("ol", { class: "findings" }, told.suggestions.map((one) => finding(one, 0))))
      : null,
    h("details", { "data-at": name }, h("summary", {}, t("as_text")),
      h("pre", { class: "text", tabindex: "0" }, told.text[lang()].join("\n")),
      h("div", { class: "buttons" }, h("button", {
        type: "button",
        onclick: () => download(name + ".txt", "text/plain;charset=utf-8",
          ["\ufeff", told.text[lang()].join("\n"), "\n"]),
      }, t("save_text")))),
    h("p", { class: "hint" }, t("as_of"), full(told.at)),
  );
}
