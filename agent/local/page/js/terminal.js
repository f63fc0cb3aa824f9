// This terminal: versions, devices, the support bundle, who did what.

import { get, post } from "./api.js";
import { card, download, h, pairs, say, state, swap, table } from "./dom.js";
import { trouble } from "./dialog.js";
import { full, number, when } from "./format.js";
import { may, session } from "./session.js";
import { lang, t, word } from "./words.js";

const STANDING = { equal: "ok", ahead: "ok", behind: "warning", pending: "busy", failed: "fault", rolled_back: "fault", unknown: "unknown" };

export function terminal(it) {
  const about = h("div", { class: "fill" });
  const versions = h("div", { class: "fill" });
  const devices = h("div", { class: "fill" });
  swap(it.main, h("h1", {}, t("nav.terminal")), h("div", { class: "two" }, about, bundle(it)), versions, devices);
  it.fill(about, async () => {
    const told = await get("/v1/status", {}, it.signal);
    const closes = session().closes_in_s;
    return card(told.device_id, {}, pairs([
      [t("terminal.version"), told.version], [t("terminal.site"), [told.tenant, told.site].filter(Boolean).join(" \u00b7 ")],
      [t("terminal.started"), told.started_at ? full(told.started_at) : ""],
      [t("terminal.clock"), state(told.clock_trusted ? "ok" : "unknown", t(told.clock_trusted ? "terminal.clock.ok" : "terminal.clock.not"))],
      [t("terminal.store"), told.store ? state(told.store.damage ? "fault" : "ok", told.store.damage || t("kind.ok")) : state("unknown", told.store_problem || t("unknown"))],
      [t("terminal.listener"), t("listener." + (session().listener || "loopback")) + (closes ? " \u00b7 " + t("terminal.closes", { n: Math.ceil(closes / 60) }) : "")],
    ]));
  });
  it.fill(versions, async () => {
    const told = await get("/v1/software", {}, it.signal);
    const manifest = told.manifest;
    return card(t("versions"), {},
      manifest ? h("p", { class: "hint" }, lang() === "zh" ? manifest.text_zh : manifest.text_en) : null,
      told.components.length
        ? table(t("versions"), [t("versions.component"), t("versions.installed"), t("versions.required"), t("payment.state"), t("versions.since")],
            told.components.map((one) => h("tr", {}, h("th", { scope: "row" }, word("component", one.component)),
              h("td", {}, one.installed || (one.why ? state("unknown", one.why) : t("none"))), h("td", {}, one.required || t("none")),
              h("td", {}, one.standing ? state(STANDING[one.standing] || "unknown", word("standing", one.standing)) : t("none")),
              h("td", {}, when(one.since_at)))))
        : h("p", {}, t("versions.none")),
      told.changes.length ? h("details", { "data-at": "changes" }, h("summary", {}, t("versions.changes")),
        h("ul", { class: "plain" }, told.changes.map((one) => h("li", {}, full(one.at), " \u00b7 ", word("component", one.component), ": ", one.before || t("none"), " \u2192 ", one.after || t("none"))))) : null);
  });
  it.fill(devices, async () => {
    const told = await get("/v1/inventory", {}, it.signal);
    return card(t("devices"), {},
      told.devices.length
        ? table(t("devices"), [t("versions.component"), t("devices.model"), t("devices.firmware"), t("devices.serial"), t("devices.interface"), t("versions.since")],
            told.devices.map((one) => h("tr", {}, h("th", { scope: "row" }, word("component", one.component)),
              h("td", {}, [one.make, one.model].filter(Boolean).join(" ") || one.usb_id || t("unknown")), h("td", {}, one.firmware || t("unknown")),
              h("td", {}, one.serial || t("none")), h("td", {}, one.interface || t("none")), h("td", {}, when(one.since_at)))))
        : h("p", {}, t("devices.none")));
  });
}

function bytes(text) {
  const plain = atob(text);
  const all = new Uint8Array(plain.length);
  for (let at = 0; at < plain.length; at += 1) all[at] = plain.charCodeAt(at);
  return all;
}

function bundle(it) {
  const place = h("div", {});
  const go = h("button", { type: "button", class: "main", id: "bundle", onclick: make }, t("bundle.go"));
  async function make() {
    go.disabled = true;
    try {
      swap(place, h("progress", { "aria-label": t("bundle.making") }), h("p", {}, t("bundle.making")));
      const told = await post("/v1/bundles");
      const bar = h("progress", { max: told.pieces, value: 0, "aria-label": t("bundle.fetching") });
      swap(place, bar, h("p", {}, t("bundle.fetching")));
      const parts = [];
      for (let at = 0; at < told.pieces; at += 1) {
        const piece = await get("/v1/bundles/" + told.bundle_id + "/" + at, {}, it.signal);
        parts.push(bytes(piece.data));
        bar.value = at + 1;
      }
      download(told.file, "application/gzip", parts);
      say(t("bundle.done"));
      swap(place, h("p", {}, state("ok", t("bundle.done"))), pairs([
        [t("bundle.file"), told.file], [t("bundle.size"), number(told.size_bytes / 1024) + " KiB"],
        [t("bundle.members"), String(told.members.length)], ["SHA-256", h("code", { class: "long" }, told.sha256)],
        [t("bundle.removed"), String(told.removed_cards + told.removed_secrets)],
        [t("bundle.failed"), told.failed.map((one) => one.name).join(", ")],
      ]));
    } catch (error) {
      if (error.name !== "AbortError") swap(place, trouble(error));
    }
    go.disabled = false;
  }
  return card(t("bundle"), {}, h("p", {}, t("bundle.what")),
    may() ? h("div", { class: "buttons" }, go) : h("p", { class: "hint" }, t("needs_technician")), place);
}
