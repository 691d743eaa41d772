// worksheet_net: exercises on sizes: of one axis, of a network's layers, and on what a network mistakes.

import { DATA, values } from "../base/data.js";
import { h } from "../base/dom.js";
import { sum } from "../base/numbers.js";
import { state } from "../base/state.js";
import { words } from "../base/words.js";
import { className, SILENT } from "../model/samples.js";
import { cells, headed, spread } from "./worksheet_parts.js";

/** How many windows fit: cases of the engine's table, other ones after a slider has moved. */
export function sizesExercise({ box }) {
  const table = values(DATA.lesson.sizes);
  const all = Array.from({ length: table.shape[0] }, (_, k) => [...table.part(k).data]);
  const small = all.filter(([n, , , , , size]) => n <= 16 && size > 0);
  const first = (state.n * 5 + state.k * 3 + state.ss * 7 + state.sp * 11 + state.sd) % small.length;
  const rows = spread(small.length, 10, first).map((k) => small[k]);
  const names = ["n", "k", "s", "p", "d"].map((name) => h("i", {}, name));
  const working = ([n, k, s, p, d, size]) => `⌊(${n} + 2·${p} − ${d}·(${k} − 1) − 1) / ${s}⌋ + 1 = ${size}`;
  return {
    title: words("sheet.sizes.title"),
    ask: words("sheet.sizes.ask"),
    content: headed(
      [...names, words("sheet.sizes.outputs")],
      rows.map((row) => h("tr", {}, cells([...row.slice(0, 5).map(String), box(row[5])]))),
    ),
    why: rows.map(working),
  };
}

/** The shape of every layer's output, and how many numbers it learns. */
export function shapesExercise({ box }) {
  const layers = DATA.model.layers.filter(({ kind }) => !SILENT.includes(kind));
  const row = ({ label, text, shape_out: shape, parameters }) =>
    h(
      "tr",
      {},
      h("th", { scope: "row" }, label),
      h("td", {}, h("code", {}, text)),
      cells([box(shape.join(" × ")), box(String(parameters ?? 0))]),
    );
  const names = ["layer", "is", "output", "parameters"].map((name) => words(`sheet.shapes.${name}`));
  return {
    title: words("sheet.shapes.title"),
    ask: words("sheet.shapes.ask", { shape: layers[0].shape_in.join(" × ") }),
    content: headed(names, layers.map(row)),
  };
}

/** The diagonal of the confusion matrix, from how many images each class has. */
export function confusionExercise({ grid, box }) {
  const { test } = DATA.training;
  if (!test) return null;
  const matrix = values(test.confusion);
  const [n] = matrix.shape;
  const row = (r) => Array.from({ length: n }, (_, c) => matrix.at(r, c));
  const names = DATA.classes.map((_, k) => className(k));
  const right = sum(names.map((_, k) => matrix.at(k, k)));
  const title = [words("sheet.confusion.rows"), ": ", names.join(", ")];
  const content = grid(title, words("sheet.confusion.title"), {
    rows: n,
    cols: n + 2,
    value: (r, c) => (c < n ? matrix.at(r, c) : c === n ? "=" : sum(row(r))),
    asked: (r, c) => r === c,
    pad: (_, c) => c >= n,
  });
  return {
    title: words("sheet.confusion.title"),
    ask: words("sheet.confusion.ask"),
    content: [content, h("p", {}, words("sheet.confusion.share"), " ", box(`${right} / ${test.count}`))],
    why: [`${right} / ${test.count} = ${(test.accuracy * 100).toFixed(2)} %`],
  };
}
