// Dialogs: a form that stays open until its work is done, and a question before something is done.

import { h, swap } from "./dom.js";
import { Problem } from "./api.js";
import { refusal, t } from "./words.js";

export function trouble(error) {
  const words = refusal(error);
  const waits = error.waitS ? t("problem.wait", { n: error.waitS }) : "";
  return h(
    "div",
    { class: "problem", role: "alert" },
    h("p", {}, h("strong", {}, words.title || t("problem.title"))),
    error.detail || error.message ? h("p", {}, error.detail || error.message) : null,
    words.hint || waits
      ? h("p", { class: "todo" }, h("span", { class: "tag" }, t("todo")), " ", words.hint, " ", waits)
      : null,
    error.code ? h("p", { class: "hint" }, h("code", {}, error.code)) : null,
  );
}

// `work` returns a promise; its answer is the dialog's. Escape and Cancel reject.
export function form(given) {
  return new Promise((resolve, reject) => {
    const back = document.activeElement;
    const told = h("div", {});
    const go = h("button", { type: "submit", class: given.danger ? "danger" : "main" }, given.accept);
    const stop = h("button", { type: "button", onclick: () => box.close() }, t("cancel"));
    const page = h(
      "form",
      { method: "dialog", novalidate: true, onsubmit: submit },
      h("h2", { id: "dialog-title" }, given.title),
      given.body,
      told,
      h("div", { class: "buttons" }, go, stop),
    );
    const box = h("dialog", { "aria-labelledby": "dialog-title" }, page);
    let answer;
    let done = false;
    async function submit(event) {
      event.preventDefault();
      const bad = page.querySelector(":invalid");
      if (bad) {
        bad.focus();
        swap(told, trouble(new Problem(0, { title: t("missing.title"), detail: t("missing.detail") })));
        return;
      }
      go.disabled = true;
      try {
        answer = await given.work();
        done = true;
        box.close();
      } catch (error) {
        swap(told, trouble(error));
        const field = page.querySelector("input,textarea,select");
        if (field) field.focus();
      }
      go.disabled = false;
    }
    box.addEventListener("close", () => {
      box.parentNode.removeChild(box);
      if (back && document.contains(back)) back.focus();
      if (done) resolve(answer);
      else reject(new Problem(401, { code: "page.cancelled", title: t("cancelled"), detail: t("cancelled.detail") }));
    });
    document.body.appendChild(box);
    box.showModal();
    const first = page.querySelector("input,textarea,select") || go;
    first.focus();
  });
}
