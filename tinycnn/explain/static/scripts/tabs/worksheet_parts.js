// worksheet_parts: what sheets are made of: grids and tables whose answers are blanks on the sheet, and told in its key.

import { h } from "../base/dom.js";
import { exact, round } from "../base/numbers.js";
import { words } from "../base/words.js";

/** A number on a sheet. */
export function written(v) {
  return round(v, Number.isInteger(v) ? 0 : 3);
}

/** The makers of a sheet, with blanks or solved. */
export function partsOf(solved) {
  const answer = (v) => (typeof v === "number" ? written(v) : v);
  const data = (v) => (solved ? { value: typeof v === "string" ? v : exact(v) } : {});
  return {
    solved,

    /** A place to write into, or what belongs there. */
    box(v) {
      if (solved) return h("b", { class: "fill-in", data: data(v) }, answer(v));
      return h("span", { class: "fill-in blank", role: "img", "aria-label": words("sheet.blank") });
    },

    /** A matrix under its name, as text; the cells (r, c) for which asked(r, c) holds are blanks. */
    grid(title, name, { rows, cols, value, asked = () => false, pad = () => false }) {
      const cell = (r, c) => {
        const v = value(r, c);
        if (!asked(r, c)) return h("td", { class: pad(r, c) ? "framed" : "" }, answer(v));
        return h("td", { class: "fill-in", data: data(v) }, solved ? answer(v) : "");
      };
      const line = (_, r) =>
        h(
          "tr",
          {},
          Array.from({ length: cols }, (_unused, c) => cell(r, c)),
        );
      const body = h("tbody", {}, Array.from({ length: rows }, line));
      const table = h("table", { class: "sheet-grid", "aria-label": name }, body);
      return h("figure", {}, h("figcaption", {}, title), table);
    },
  };
}

/** A table under the names of its columns. */
export function headed(names, rows) {
  const head = h(
    "tr",
    {},
    names.map((name) => h("th", { scope: "col" }, name)),
  );
  return h("table", { class: "sheet-table" }, h("thead", {}, head), h("tbody", {}, rows));
}

/** A row's cells. */
export const cells = (list) => list.map((one) => h("td", {}, one));

/** `count` of the numbers below `all`, `first` among them, far from each other. */
export function spread(all, count, first) {
  const step = Math.floor(all / count) + 1;
  return [...new Set(Array.from({ length: count }, (_, k) => (first + k * step) % all))];
}
