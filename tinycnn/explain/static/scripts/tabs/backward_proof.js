// backward_proof: col2im is the adjoint of im2col, and the gradients agree with finite differences.

import { scale, scaleFor } from "../base/colour.js";
import { DATA, values } from "../base/data.js";
import { div, h } from "../base/dom.js";
import { brief, minus, round } from "../base/numbers.js";
import { DEFAULTS } from "../base/state.js";
import { words } from "../base/words.js";
import { toyConv } from "../model/convolutions.js";
import { origin, table, tableRow } from "../widgets/labels.js";
import { mapGrid, panel } from "../widgets/panel.js";
import { intro } from "../widgets/stage.js";

/** Adjoint, not inverse; and what the engine's gradient check found. */
export function proofPart() {
  const { left, right, there_and_back: back, counts } = DATA.lesson.adjoint;
  const x = toyConv({ ...DEFAULTS }).x.part(0);
  const [there, many] = [values(back).part(0), values(counts).part(0)];
  const grid = (array, role, paint, name) => mapGrid(array, paint, { role, cell: 32, text: (v) => round(v, 0), name });
  const sign = (text) => h("span", { class: "sign", "aria-hidden": "true" }, text);
  return {
    name: words("backward.parts.proof"),
    controls: intro(words("backward.proof.title"), words("backward.proof.what")),
    figure: [
      div(
        "inner",
        h("span", {}, "⟨ im2col(x), c ⟩ = ", h("b", {}, round(left))),
        h("span", {}, "⟨ x, col2im(c) ⟩ = ", h("b", {}, round(right))),
        origin("engine"),
      ),
      div(
        "into",
        panel(h("i", {}, "x"), grid(x, "input", scaleFor(x), "x")),
        sign("×"),
        panel(
          words("terms.windows_per_pixel"),
          grid(many, "plain", scale("count", 9), words("backward.grids.windows")),
        ),
        sign("="),
        panel(
          h("code", {}, "col2im(im2col(x))"),
          grid(there, "gradient", scaleFor(there), words("backward.grids.there")),
        ),
      ),
    ],
    rest: DATA.gradcheck && gradientCheck(DATA.gradcheck),
  };
}

/** Analytic against numeric, for some weights. */
function gradientCheck({ layer, rows }) {
  const far = ({ analytic, numeric }) =>
    Math.abs(analytic - numeric) / Math.max(Math.abs(analytic), Math.abs(numeric), 1e-12);
  const body = rows.map((row) =>
    tableRow(`w[${row.index.join(", ")}]`, null, [
      minus(row.analytic.toExponential(6)),
      minus(row.numeric.toExponential(6)),
      brief(far(row)),
    ]),
  );
  const names = ["weight", "backward", "numeric", "difference"].map((name) => words(`backward.check.columns.${name}`));
  const facts = { layer, n: rows.length, difference: brief(Math.max(...rows.map(far))) };
  return [
    intro(words("backward.check.title"), words("backward.check.what", facts)),
    h(
      "div",
      { class: "scroll", tabindex: 0, role: "region", "aria-label": words("backward.grids.check") },
      table(names, 1, body, { kind: "gradcheck" }),
    ),
  ];
}
