// Why money has not arrived: this terminal, one payment, or one of the questions merchants ask.

import { get } from "./api.js";
import { card, h, swap } from "./dom.js";
import { verdict } from "./verdict.js";
import { t } from "./words.js";

const QUESTIONS = ["", "late", "settlement", "preauth", "slip"];

export function why(it) {
  const asked = QUESTIONS.indexOf(it.rest[0]) > 0 ? it.rest[0] : "";
  const place = h("div", { class: "fill" });
  const key = h("input", { id: "why-key", maxlength: 64, autocomplete: "off", spellcheck: "false", required: true });
  swap(
    it.main,
    h("h1", {}, t("nav.why")),
    h("nav", { class: "tabs", "aria-label": t("why.questions") }, QUESTIONS.map((one) =>
      h("a", { href: "#/why" + (one ? "/" + one : ""), "data-at": "q-" + one,
        "aria-current": one === asked ? "page" : null }, t("why." + (one || "terminal"))))),
    h("form", {
      class: "bar",
      onsubmit: (event) => {
        event.preventDefault();
        if (key.value.trim()) location.hash = "#/payments/" + encodeURIComponent(key.value.trim());
        else key.focus();
      },
    },
    h("div", { class: "grow" }, h("label", { for: "why-key" }, t("why.one")), key),
    h("button", { type: "submit", class: "main" }, t("why.go"))),
    place,
  );
  const look = () => it.fill(place, async () => {
    const told = await get("/v1/explain" + (asked ? "/" + asked : ""), {}, it.signal);
    return card(h("h2", { class: "unseen" }, t("why." + (asked || "terminal"))), {}, verdict(told, "h3"));
  });
  look();
  it.follow(["health", "transaction", "backlog"], look);
}
