// What a code of the catalogue is called; asked for once.

import { get } from "./api.js";
import { h } from "./dom.js";
import { both } from "./words.js";

const KNOWN = {};

export function cause(code) {
  const name = h("span", {});
  if (!KNOWN[code]) {
    KNOWN[code] = get("/v1/causes/" + encodeURIComponent(code)).catch(() => {
      delete KNOWN[code];
      return null;
    });
  }
  KNOWN[code].then((told) => {
    // A title with places for facts says less than its code where the facts are not at hand.
    if (told && !/[{[]/.test(both(told.title))) name.textContent = both(told.title) + " ";
  });
  return h("span", { class: "cause" }, name, h("code", {}, code));
}
