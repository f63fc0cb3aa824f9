// What can go onto paper: looked at here, printed by the terminal's printer or by this browser.

import { get, post } from "./api.js";
import { card, h, say, state, swap } from "./dom.js";
import { trouble } from "./dialog.js";
import * as dialog from "./dialog.js";
import { may } from "./session.js";
import { both, lang, t } from "./words.js";

export function slips(it) {
  const list = h("div", { class: "fill slips" });
  swap(it.main, h("h1", {}, t("nav.slips")), h("p", { class: "hint" }, t("slips.what")), list);
  it.fill(list, async () => {
    const told = await get("/v1/slips", {}, it.signal);
    return told.slips.map((one) => slip(it, one.kind, "", both(one.title), one.about, told.printing));
  });
}

// One slip with its ways out. `key`: what it is about, where that is known already.
export function slip(it, kind, key, title, about, printing) {
  const place = h("div", { class: "fill" });
  const columns = h("select", { id: "columns-" + kind }, [32, 48].map((n) =>
    h("option", { value: n }, t("slip.columns." + n))));
  const field = about && about !== "nothing" && !key
    ? h("input", {
        id: "key-" + kind, maxlength: 64, autocomplete: "off", spellcheck: "false",
        required: about === "payment", "aria-describedby": "about-" + kind,
      })
    : null;
  const meant = () => (field ? field.value.trim() : key);
  const asked = (form) => ({ key: meant(), columns: Number(columns.value), lang: lang(), form: form });
  const ready = () => {
    if (!field || field.checkValidity()) return true;
    field.focus();
    swap(place, trouble({ title: t("missing.title"), detail: t("slip.about.payment") }));
    return false;
  };
  const show = () => ready() && it.fill(place, async () => {
    const told = await get("/v1/slips/" + kind, asked("text"), it.signal);
    const paper = h("div", {});
    return [
      h("pre", { class: "slip", tabindex: "0", "aria-label": title }, told.lines.join("\n")),
      h("div", { class: "buttons" },
        h("button", { type: "button", onclick: () => printHere(place) }, t("print.browser")),
        h("button", { type: "button", "data-at": "paper-" + kind, onclick: () => image(paper) }, t("slip.paper"))),
      paper,
    ];
  });
  const image = (paper) => it.fill(paper, async () => {
    const told = await get("/v1/slips/" + kind, asked("png"), it.signal);
    return h("img", { class: "paper", alt: t("slip.alt", { title: title }), src: "data:image/png;base64," + told.data });
  });
  const print = () => ready() && dialog.form({
    title: t("print.terminal"),
    body: [h("p", {}, h("strong", {}, title)), h("p", {}, t("print.what"))],
    accept: t("print.do"),
    work: () => post("/v1/slips/" + kind + "/print", { key: meant(), lang: lang() }),
  }).then((told) => {
    const words = t(told.confirmed ? "print.done" : "print.sent");
    say(words);
    swap(place, h("p", {}, state(told.confirmed ? "ok" : "unknown", words)));
  }, () => {});
  return card(title, { class: "slip-card" },
    field ? [h("label", { for: "key-" + kind }, t("slip.about." + about)), field,
      h("p", { class: "hint", id: "about-" + kind }, t(about === "payment" ? "slip.needed" : "slip.optional"))] : null,
    h("label", { for: "columns-" + kind }, t("slip.columns")), columns,
    h("div", { class: "buttons" },
      h("button", { type: "button", "data-at": "view-" + kind, onclick: show }, t("slip.view")),
      may() && printing !== "off" ? h("button", { type: "button", "data-at": "print-" + kind, onclick: print }, t("print.terminal")) : null),
    printing === "off" ? h("p", { class: "hint" }, t("print.off")) : null,
    place);
}

function printHere(place) {
  const paper = place.querySelector(".slip").cloneNode(true);
  const main = document.getElementById("main");
  main.parentNode.insertBefore(paper, main.nextSibling);
  document.body.classList.add("printing");
  window.print();
  document.body.classList.remove("printing");
  paper.parentNode.removeChild(paper);
}
