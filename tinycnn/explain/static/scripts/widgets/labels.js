// labels: who computed a number, a term of a sum, bars, tables.

import { div, h, span } from "../base/dom.js";
import { exact, exactly } from "../base/numbers.js";
import { words } from "../base/words.js";

/** Who computed what is shown here. */
export function origin(who) {
  return h("span", { class: `origin ${who}` }, words(who === "engine" ? "origin.engine" : "origin.browser"));
}

export function term(number, name, role) {
  return h("span", { class: `term ${role}` }, h("b", {}, number), h("small", {}, name));
}

/** An engine's number with all its digits, after its name: y[0, 2, 2] = 31. */
export function resultLine(name, v, by) {
  return div(
    "equation",
    span("op small", name),
    span("op", "="),
    h("output", { class: "term output value", data: { value: exact(v) } }, h("b", {}, exactly(v))),
    origin(by),
  );
}

export function meter(share, role, text) {
  return h(
    "span",
    { class: "meter" },
    h("span", { class: `amount ${role}`, style: { width: `${Math.max(share, 0) * 100}%` } }),
    h("span", { class: "num" }, text),
  );
}

export function signedMeter(v, most, text) {
  const width = Math.min(Math.abs(v) / most, 1) * 50;
  return h(
    "span",
    { class: "meter signed" },
    h("span", {
      class: `amount ${v < 0 ? "minus" : "plus"}`,
      style: { width: `${width}%`, left: `${v < 0 ? 50 - width : 50}%` },
    }),
    h("span", { class: "num" }, text),
  );
}

/** A table: the columns' names, those from number `numeric` on to the right; rows and foot are made by tableRow. */
export function table(names, numeric, rows, { kind = "", foot = null } = {}) {
  const head = names.map((name, k) => h("th", { class: k >= numeric ? "num" : "" }, name));
  return h(
    "table",
    { class: kind },
    h("thead", {}, h("tr", {}, head)),
    h("tbody", {}, rows),
    foot && h("tfoot", {}, foot),
  );
}

/** A row with its name, what stands between, and its numbers. */
export function tableRow(name, between, numbers, kind = "") {
  const cells = numbers.map((text) => h("td", { class: "num" }, text));
  return h("tr", { class: kind }, h("th", { scope: "row" }, name), between, cells);
}
