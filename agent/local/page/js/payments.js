// The payments of this terminal: filter, search by key, trace number, reference or amount.

import { get } from "./api.js";
import { cause } from "./causes.js";
import { card, h, say, state, swap, table } from "./dom.js";
import { amount, digits, when } from "./format.js";
import { t, word } from "./words.js";

const FILTERS = ["", "all", "held", "waiting", "posted", "declined", "reversed,voided,lapsed"];
const PAGE = 100;
//: Of a search over everything that is kept: so many pages, then a person is asked to go on.
const SEARCH_PAGES = 10;

let kept = { state: "", search: "" };

export const KIND = {
  queued: "busy", sending: "busy", waiting: "warning", held: "warning", posted: "ok",
  declined: "fault", reversed: "not_observable", voided: "not_fitted", lapsed: "not_fitted",
};

export function payments(it) {
  const place = h("div", { class: "fill" });
  const search = h("input", {
    id: "search", type: "search", value: kept.search, autocomplete: "off", spellcheck: "false",
    "aria-describedby": "search-hint",
  });
  const states = h("select", { id: "filter" }, FILTERS.map((one) =>
    h("option", { value: one, selected: one === kept.state }, t("filter." + (one.split(",")[0] || "unsent")))));
  let pages = [0];
  const look = () => {
    kept = { state: states.value, search: search.value.trim() };
    it.fill(place, () => (kept.search ? found(it, kept.search, pages.length) : listed(it, pages[pages.length - 1])));
  };
  it.again = look;
  it.more = (after) => { pages = pages.concat([after]); look(); };
  it.back = () => { pages = pages.slice(0, -1); look(); };
  it.pages = () => pages;
  swap(
    it.main,
    h("h1", {}, t("nav.payments")),
    h("form", {
      class: "bar", role: "search",
      onsubmit: (event) => { event.preventDefault(); pages = [0]; look(); },
    },
    h("div", { class: "grow" }, h("label", { for: "search" }, t("search")), search),
    h("div", {}, h("label", { for: "filter" }, t("filter")), states),
    h("button", { type: "submit", class: "main" }, t("search.go"))),
    h("p", { id: "search-hint", class: "hint" }, t("search.hint")),
    place,
  );
  states.addEventListener("change", () => { pages = [0]; look(); });
  it.follow(["transaction"], () => { if (!kept.search && pages.length === 1) look(); });
  look();
}

async function listed(it, after) {
  const told = await get("/v1/transactions", { state: kept.state, after: after || "", limit: PAGE }, it.signal);
  return [
    rows(told.items),
    h("div", { class: "buttons" },
      it.pages().length > 1 ? h("button", { type: "button", onclick: it.back }, t("page.back")) : null,
      told.next_after ? h("button", { type: "button", onclick: () => it.more(told.next_after) }, t("page.more")) : null),
  ];
}

// The same payment is meant by its key, its numbers, or its amount as written on the slip.
export function matches(one, text) {
  const low = text.toLowerCase();
  if ([one.key, one.stan, one.rrn, one.result && one.result.rrn, one.batch]
    .some((two) => two && String(two).toLowerCase().indexOf(low) >= 0)) return true;
  const plain = text.replace(/[,\s\u00a5\uffe5$]/g, "");
  if (!/^\d+(\.\d+)?$/.test(plain) || one.amount_minor === null) return false;
  return Math.round(Number(plain) * Math.pow(10, digits(one.currency))) === one.amount_minor;
}

async function found(it, text, rounds) {
  const items = [];
  let after = 0;
  let looked = 0;
  for (let page = 0; page < SEARCH_PAGES * rounds && after !== null; page += 1) {
    const told = await get("/v1/transactions", { state: kept.state || "all", after: after || "", limit: 500 }, it.signal);
    looked += told.items.length;
    told.items.filter((one) => matches(one, text)).forEach((one) => items.push(one));
    after = told.next_after;
  }
  if (!items.length && after !== null && /^[A-Za-z0-9_-]{6,64}$/.test(text)) {
    try {
      items.push(await get("/v1/transactions/" + encodeURIComponent(text), {}, it.signal));
    } catch (error) {
      if (error.code !== "transaction.unknown") throw error;
    }
  }
  say(t("search.found", { n: items.length, of: looked }));
  return [
    h("p", { class: "hint" }, t("search.found", { n: items.length, of: looked })),
    rows(items),
    after ? h("button", { type: "button", onclick: () => it.more(0) }, t("search.further")) : null,
  ];
}

function rows(items) {
  if (!items.length) return card(t("payments.list"), {}, h("p", {}, t("payments.none")));
  return table(
    t("payments.list"),
    [t("payment.time"), t("payment.kind"), t("payment.amount"), t("payment.state"), t("payment.cause"), t("payment.stan"), t("payment.key")],
    items.map((one) => h("tr", {},
      h("td", { class: "tight" }, when(one.occurred_at)),
      h("td", {}, word("sort", one.kind)),
      h("td", { class: "money" }, amount(one.amount_minor, one.currency)),
      h("td", {}, standing(one)),
      h("td", {}, one.cause ? cause(one.cause) : t("none")),
      h("td", { class: "tight" }, one.stan || t("none")),
      h("th", { scope: "row" }, h("a", { href: "#/payments/" + encodeURIComponent(one.key), "data-at": one.key }, one.key)))),
  );
}

export function standing(one) {
  return [
    state(KIND[one.state] || "unknown", word("state", one.state)),
    one.in_doubt ? h("span", { class: "doubt" }, state("unknown", t("in_doubt"))) : null,
  ];
}
