// Charts drawn as SVG by ourselves. Each is a figure with its numbers as a table beside it.

import { h, s, table } from "./dom.js";
import { t } from "./words.js";

// Drawn as wide as it is shown, so that its words are as large as others.
function room() {
  return Math.max(250, Math.min(760, document.getElementById("main").clientWidth - 60));
}

function cut(name, most) {
  let size = 0;
  for (let at = 0; at < name.length; at += 1) {
    size += name.charCodeAt(at) > 0x2e7f ? 12.5 : 7;
    if (size > most) return name.slice(0, at - 1) + "\u2026";
  }
  return name;
}

function figure(title, picture, heads, rows) {
  return h("figure", { class: "chart" }, h("figcaption", {}, title), picture,
    h("details", { "data-at": "numbers-" + title }, h("summary", {}, t("chart.numbers")),
      table(title, heads, rows.map((row) => h("tr", {}, row.map((one, at) =>
        at ? h("td", {}, one) : h("th", { scope: "row" }, one)))))));
}

function picture(wide, high, title, what, parts) {
  return s("svg", { class: "plot", viewBox: "0 0 " + wide + " " + high, role: "img", "aria-label": title + ". " + what },
    parts);
}

// When each condition held. `spans`: {name, from, to, open, kind} in milliseconds.
export function timeline(title, names, spans, since, until, label, heads, rows) {
  const wide = room();
  const left = Math.min(150, wide * 0.36);
  const line = 26;
  const top = 6;
  const high = top + names.length * line + 24;
  const x = (ms) => left + ((Math.max(since, Math.min(until, ms)) - since) / (until - since || 1)) * (wide - left - 8);
  const parts = [];
  names.forEach((name, at) => {
    const y = top + at * line;
    parts.push(s("line", { class: "lane", x1: left, x2: wide - 8, y1: y + 13, y2: y + 13 }));
    parts.push(s("text", { x: left - 8, y: y + 17, "text-anchor": "end" }, cut(name, left - 14)));
  });
  spans.forEach((one) => {
    const y = top + names.indexOf(one.name) * line;
    const from = x(one.from);
    parts.push(s("rect", { class: "bar " + one.kind, x: from, y: y + 6, width: Math.max(3, x(one.to) - from), height: 14, rx: 3 },
      s("title", {}, one.text)));
  });
  (wide < 420 ? [0, 4] : [0, 1, 2, 3, 4]).forEach((n) => {
    const ms = since + ((until - since) * n) / 4;
    parts.push(s("text", { class: "tick", x: x(ms), y: high - 6, "text-anchor": n === 4 ? "end" : n ? "middle" : "start" }, label(ms)));
  });
  return figure(title, picture(wide, high, title, t("chart.spans", { n: spans.length }), parts), heads, rows);
}

// Bars side by side: `bars`: {name, value, text, low, high}; low and high draw a whisker.
export function bars(title, list, heads, rows, most) {
  const wide = room();
  const line = 28;
  const left = Math.min(150, wide * 0.36);
  const right = 110;
  const top = 4;
  const largest = most || Math.max.apply(null, list.map((one) => one.high || one.value).concat([1e-9]));
  const x = (value) => (value / largest) * (wide - left - right);
  const parts = [];
  list.forEach((one, at) => {
    const y = top + at * line;
    parts.push(s("text", { x: left - 8, y: y + 18, "text-anchor": "end" }, cut(one.name, left - 14)));
    parts.push(s("rect", { class: "bar " + (one.kind || "plain"), x: left, y: y + 5, width: Math.max(1, x(one.value)), height: 17, rx: 3 }));
    if (one.high !== undefined && one.high !== null) {
      const mid = y + 13.5;
      parts.push(s("path", { class: "whisker", d: "M" + (left + x(one.low)) + " " + mid + "H" + (left + x(one.high)) + "M" + (left + x(one.low)) + " " + (mid - 4) + "v8M" + (left + x(one.high)) + " " + (mid - 4) + "v8" }));
    }
    parts.push(s("text", { class: "amount", x: left + x(Math.max(one.value, one.high || 0)) + 8, y: y + 18 }, one.text));
  });
  return figure(title, picture(wide, top + list.length * line + 4, title, t("chart.bars", { n: list.length }), parts), heads, rows);
}
