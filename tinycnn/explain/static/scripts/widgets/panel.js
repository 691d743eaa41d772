// panel: a grid under its name, and grids that show a whole map.

import { h } from "../base/dom.js";
import { Grid } from "./grid.js";

/** A grid under its name. */
export function panel(title, grid, role = grid.role, note = null) {
  return h(
    "figure",
    { class: `panel ${role}` },
    h("figcaption", {}, title),
    grid.root,
    note && h("p", { class: "note" }, note),
  );
}

/** A whole map, without numbers: r, c over an array (H, W). */
export function mapGrid(array, paint, options) {
  return new Grid({
    rows: array.shape[0],
    cols: array.shape[1],
    paint,
    value: (r, c) => array.at(r, c),
    text: () => null,
    ...options,
  });
}
