// Dates, durations and amounts as the spoken language writes them.

import { h } from "./dom.js";
import { lang, t } from "./words.js";

function locale() {
  return lang() === "zh" ? "zh-CN" : "en-GB";
}

const KEPT = {};

function formatter(kind, options, make) {
  const name = lang() + kind;
  if (!KEPT[name]) KEPT[name] = make(locale(), options);
  return KEPT[name];
}

function date(kind, options) {
  return formatter(kind, options, (place, given) => new Intl.DateTimeFormat(place, given));
}

const CLOCK = { hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false };
const DAY = { month: "short", day: "numeric" };

export function clock(at) {
  return date("clock", CLOCK).format(new Date(at));
}

export function full(at) {
  const options = Object.assign({ year: "numeric", timeZoneName: "short" }, DAY, CLOCK);
  return date("full", options).format(new Date(at));
}

export function short(at) {
  const moment = new Date(at);
  const same = moment.toDateString() === new Date().toDateString();
  return same ? clock(at) : date("short", Object.assign({}, DAY, CLOCK)).format(moment);
}

export function when(at) {
  if (!at) return t("none");
  return h("time", { datetime: at, title: full(at) }, short(at));
}

export function span(seconds) {
  const all = Math.max(0, Math.round(seconds));
  if (all < 60) return t("span.s", { n: all });
  if (all < 5400) return t("span.min", { n: Math.round(all / 60) });
  if (all < 172800) return t("span.h", { n: Math.round(all / 3600) });
  return t("span.d", { n: Math.round(all / 86400) });
}

export function ago(at) {
  return t("ago", { span: span((Date.now() - new Date(at).getTime()) / 1000) });
}

export function until(at) {
  const left = (new Date(at).getTime() - Date.now()) / 1000;
  return left > 0 ? t("in", { span: span(left) }) : t("now");
}

export function digits(currency) {
  try {
    return new Intl.NumberFormat("en", { style: "currency", currency: currency }).resolvedOptions()
      .maximumFractionDigits;
  } catch (error) {
    return 2;
  }
}

// Minor units to text without losing a digit: amounts go up to 2^53.
export function amount(minor, currency) {
  if (minor === null || minor === undefined || !currency) return t("none");
  const places = digits(currency);
  const plain = String(Math.abs(minor));
  const padded = places ? plain.padStart(places + 1, "0") : plain;
  const whole = places ? padded.slice(0, -places) : padded;
  const grouped = whole.replace(/\B(?=(\d{3})+(?!\d))/g, ",");
  const sign = minor < 0 ? "\u2212" : "";
  return sign + grouped + (places ? "." + padded.slice(-places) : "") + "\u00a0" + currency;
}

export function sums(by) {
  const names = Object.keys(by || {}).sort();
  return names.length ? names.map((name) => amount(by[name], name)).join(" \u00b7 ") : "";
}

export function number(value, places) {
  return new Intl.NumberFormat(locale(), { maximumFractionDigits: places || 0 }).format(value);
}

export function percent(share) {
  return number(share * 100, 1) + "%";
}

// What a reading holds, as a person reads it.
export function value(one) {
  if (one === true) return t("yes");
  if (one === false) return t("no");
  if (one === null || one === undefined || one === "") return t("none");
  if (typeof one === "number") return number(one, 2);
  if (typeof one === "string" && /^\d{4}-\d\d-\d\dT/.test(one)) return short(one);
  return typeof one === "object" ? JSON.stringify(one) : String(one);
}
