// Whether the agent still speaks. One event stream; where it is silent, a file of a few bytes is
// asked for, so that a cable pulled out is noticed too. Nothing here uses the session up.

import { h, swap } from "./dom.js";
import { span } from "./format.js";
import { t } from "./words.js";

const NAMES = ["transaction", "health", "device", "backlog", "inspection", "software"];
const BEAT_MS = 10000;
const CALM_MS = 400;

let source = null;
let lastMs = Date.now();
let gone = false;
let beating = 0;
let retryMs = 1000;
let retrying = 0;
const listeners = [];
let onSession = () => {};
let onBack = () => {};

export function heard() {
  lastMs = Date.now();
  if (gone) {
    gone = false;
    show();
    onBack();
  }
}

function lost() {
  gone = true;
  show();
}

// Says it where it is to be said; once more when the language or the frame around it changed.
export function show() {
  document.body.classList.toggle("silent", gone);
  setTimeout(() => {
    const high = document.getElementById("top").offsetHeight;
    document.documentElement.style.setProperty("--top", high + "px");
  }, 0);
  const place = document.getElementById("banner");
  if (!place) return;
  if (!gone) {
    if (place.firstChild) swap(place);
    return;
  }
  swap(
    place,
    h("p", {}, h("strong", {}, t("gone.title")), " ",
      t("gone.last", { span: span((Date.now() - lastMs) / 1000) })),
    h("p", {}, t("gone.what")),
  );
}

// `names`: which events call `call`, at most every 400 ms. Returns the way to stop.
export function follow(names, call) {
  const one = { names: names, call: call, timer: 0 };
  listeners.push(one);
  return () => {
    clearTimeout(one.timer);
    listeners.splice(listeners.indexOf(one), 1);
  };
}

function tell(name, text) {
  listeners.forEach((one) => {
    if (one.names.indexOf(name) < 0 || one.timer) return;
    one.timer = setTimeout(() => {
      one.timer = 0;
      one.call(name, text);
    }, CALM_MS);
  });
}

function listen() {
  clearTimeout(retrying);
  if (source) source.close();
  source = new EventSource("/v1/events");
  source.onopen = () => {
    retryMs = 1000;
    heard();
  };
  source.onerror = () => {
    source.close();
    retrying = setTimeout(listen, retryMs);
    retryMs = Math.min(30000, retryMs * 2);
    beat();
  };
  NAMES.forEach((name) => {
    source.addEventListener(name, (event) => {
      heard();
      tell(name, event.data);
    });
  });
  source.addEventListener("session", () => {
    stop();
    onSession();
  });
}

function stop() {
  clearTimeout(retrying);
  if (source) source.close();
  source = null;
}

async function beat() {
  if (document.hidden) return;
  try {
    const answer = await fetch("/alive.txt", { cache: "no-store", credentials: "omit" });
    if (answer.ok) heard();
    else lost();
  } catch (error) {
    lost();
  }
}

export function begin(sessionEnded, back) {
  onSession = sessionEnded;
  onBack = back;
  clearInterval(beating);
  beating = setInterval(() => {
    if (gone || Date.now() - lastMs >= BEAT_MS) beat();
    if (gone) show();
  }, 2000);
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) beat();
  });
}

export function connect() {
  listen();
}

export function disconnect() {
  stop();
}
