// Builds the page's elements. Text only ever goes in as text, never as markup.

const SVG = "http://www.w3.org/2000/svg";

function fill(node, attributes, children) {
  Object.keys(attributes || {}).forEach((name) => {
    const value = attributes[name];
    if (value === null || value === undefined || value === false) return;
    if (typeof value === "function") node.addEventListener(name.slice(2), value);
    else if (name === "value") node.value = value;
    else node.setAttribute(name, value === true ? "" : String(value));
  });
  add(node, children);
  return node;
}

export function add(node, children) {
  children.forEach((child) => {
    if (Array.isArray(child)) add(node, child);
    else if (child instanceof Node) node.appendChild(child);
    else if (child !== null && child !== undefined && child !== false && child !== "") {
      node.appendChild(document.createTextNode(String(child)));
    }
  });
}

export function h(tag, attributes, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

export function s(tag, attributes, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

// Puts new content in place of the old; whoever stood on a control still stands on it.
export function swap(node, ...children) {
  const held = document.activeElement;
  const inside = held && held !== node && node.contains(held);
  const name = inside ? held.getAttribute("data-at") || held.id : "";
  const open = {};
  node.querySelectorAll("details[data-at]").forEach((one) => {
    open[one.getAttribute("data-at")] = one.open;
  });
  while (node.firstChild) node.removeChild(node.firstChild);
  add(node, children);
  node.querySelectorAll("details[data-at]").forEach((one) => {
    const before = open[one.getAttribute("data-at")];
    if (before !== undefined) one.open = before;
  });
  if (!inside) return;
  const again = Array.from(node.querySelectorAll("[data-at],[id]")).filter(
    (one) => name && (one.getAttribute("data-at") || one.id) === name,
  )[0];
  if (again) again.focus();
  else {
    node.setAttribute("tabindex", "-1");
    node.focus();
  }
}

// One sentence for those who do not see the page.
export function say(text) {
  const place = document.getElementById("said");
  place.textContent = "";
  setTimeout(() => { place.textContent = text; }, 50);
}

const MARKS = {
  ok: ["M5 10.5l3.500 3.500 6.500-7.500"],
  fault: ["M10 5v6", "M10 14.200v.6"],
  warning: ["M10 7.500v4", "M10 14.400v.4"],
  unknown: ["M7.200 7.800a2.800 2.800 0 1 1 4.400 2.300c-1 .7-1.600 1.200-1.600 2.300", "M10 15v.4"],
  not_observable: ["M5.500 10h9"],
  not_fitted: ["M6.500 6.500l7 7", "M13.500 6.500l-7 7"],
  busy: ["M10 5.500v5l3 2"],
  open: [],
};

// The shape says what the colour says: disc, octagon, triangle, dashed ring, ring.
export function mark(kind) {
  const shape = {
    ok: s("circle", { cx: 10, cy: 10, r: 9 }),
    busy: s("circle", { cx: 10, cy: 10, r: 8.5 }),
    fault: s("path", { d: "M6.300 1h7.400L19 6.300v7.400L13.700 19H6.300L1 13.700V6.300z" }),
    warning: s("path", { d: "M10 1.500L19.300 18H.7z" }),
    unknown: s("circle", { cx: 10, cy: 10, r: 8.5, "stroke-dasharray": "3 2.300" }),
    not_observable: s("rect", { x: 1.5, y: 1.5, width: 17, height: 17, rx: 2 }),
    not_fitted: s("circle", { cx: 10, cy: 10, r: 8.5 }),
    open: s("circle", { cx: 10, cy: 10, r: 8.5 }),
  }[kind];
  return s(
    "svg",
    { class: "mark " + kind, viewBox: "0 0 20 20", "aria-hidden": "true", focusable: "false" },
    shape,
    MARKS[kind].map((d) => s("path", { class: "sign", d: d })),
  );
}

export function state(kind, word) {
  return h("span", { class: "state " + kind }, mark(kind), h("span", {}, word));
}

export function pairs(list) {
  return h(
    "dl",
    { class: "pairs" },
    list
      .filter((one) => one && one[1] !== "" && one[1] !== null && one[1] !== undefined)
      .map((one) => h("div", {}, h("dt", {}, one[0]), h("dd", {}, one[1]))),
  );
}

// On a narrow screen a list is laid out as blocks, with each head beside its cell; the roles keep
// it a table for those who hear it.
export function table(caption, heads, rows) {
  rows.forEach((row) => {
    row.setAttribute("role", "row");
    Array.from(row.children).forEach((cell, at) => {
      cell.setAttribute("role", cell.tagName === "TH" ? "rowheader" : "cell");
      cell.setAttribute("data-head", heads[at]);
      if (cell.textContent === "\u2014") cell.classList.add("blank");
    });
  });
  return h(
    "div",
    { class: "scroll", tabindex: "0", role: "region", "aria-label": caption },
    h(
      "table",
      { role: "table", class: "list" },
      h("caption", { class: "unseen" }, caption),
      h("thead", { role: "rowgroup" }, h("tr", { role: "row" },
        heads.map((one) => h("th", { scope: "col", role: "columnheader" }, one)))),
      h("tbody", { role: "rowgroup" }, rows),
    ),
  );
}

export function card(title, attributes, ...children) {
  const head = typeof title === "string" ? h("h2", {}, title) : title;
  const given = Object.assign({}, attributes, { class: "card " + ((attributes || {}).class || "") });
  return h("section", given, head, children);
}

// Hands a file to the person in front of the page.
export function download(name, type, parts) {
  const address = URL.createObjectURL(new Blob(parts, { type: type }));
  const link = h("a", { href: address, download: name });
  document.body.appendChild(link);
  link.click();
  document.body.removeChild(link);
  setTimeout(() => URL.revokeObjectURL(address), 60000);
}
