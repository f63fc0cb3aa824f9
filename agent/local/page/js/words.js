// Which language is spoken. Every text of the page is in zh.js and en.js under the same keys; only
// the table that is spoken is loaded.

const LANGUAGES = ["zh", "en"];
const KEPT = "posagent.lang";

function first() {
  try {
    const kept = localStorage.getItem(KEPT);
    if (LANGUAGES.indexOf(kept) >= 0) return kept;
  } catch (error) {
    // A browser that keeps nothing: its own language is asked for each time.
  }
  return /^zh/i.test(navigator.language || "") ? "zh" : "en";
}

let spoken = first();
let texts = {};

export function lang() {
  return spoken;
}

export async function ready() {
  texts = (await import("./" + spoken + ".js")).default;
}

export async function speak(chosen) {
  texts = (await import("./" + chosen + ".js")).default;
  spoken = chosen;
  try {
    localStorage.setItem(KEPT, chosen);
  } catch (error) {
    // It counts until the page is closed.
  }
}

export function has(key) {
  return Object.prototype.hasOwnProperty.call(texts, key);
}

export function t(key, values) {
  const text = has(key) ? texts[key] : key;
  return text.replace(/\{(\w+)\}/g, (all, name) =>
    values && values[name] !== undefined ? values[name] : all,
  );
}

// A word of the API: in words where we have them, else as it is.
export function word(group, code) {
  return has(group + "." + code) ? t(group + "." + code) : code;
}

// A refusal in Chinese, where the agent tells it in English only.
export function refusal(problem) {
  const key = "p." + problem.code;
  if (spoken === "zh" && has(key)) {
    const parts = t(key).split("|");
    return { title: parts[0], hint: parts[1] || "" };
  }
  return { title: problem.title, hint: problem.hint };
}

// What the API says in both languages.
export function both(text) {
  return text ? text[spoken] || text.en || "" : "";
}
