// edit_result: what the network makes of the changed picture, beside what it made of the original.

import { scaleFor } from "../base/colour.js";
import { DATA } from "../base/data.js";
import { div, h, span } from "../base/dom.js";
import { words } from "../base/words.js";
import { className } from "../model/samples.js";
import { twin } from "../model/twin.js";
import { Grid } from "../widgets/grid.js";
import { origin } from "../widgets/labels.js";

/** One bar per class; show(label, was, is) sets them by the layers' outputs before and now, and says it in words. */
export function probabilityBars() {
  const rows = DATA.classes.map((_, k) => {
    const [before, now, num] = [span("before"), span("amount output"), span("num")];
    return { root: div("bar-row", span("bar-name", className(k)), span("meter", now, before, num)), before, now, num };
  });
  const root = div(
    "bars edit-bars",
    rows.map((row) => row.root),
  );
  return {
    root,
    show(label, was, is) {
      const last = DATA.model.layers.at(-1).label;
      const [p, q] = [twin.softmax(was[last]), twin.softmax(is[last])];
      rows.forEach((row, k) => {
        row.now.style.width = `${q[k] * 100}%`;
        row.before.style.left = `${p[k] * 100}%`;
        row.num.textContent = q[k].toFixed(3);
        row.root.classList.toggle("truth", k === label);
        row.root.classList.toggle("top", q[k] === Math.max(...q));
      });
      return verdict(label, p, q);
    },
  };
}

function verdict(label, p, q) {
  const best = (list) => list.indexOf(Math.max(...list));
  const before = best(p) === best(q) ? "" : words("edit.before", { said: className(best(p)) });
  const share = (q[best(q)] * 100).toFixed(1);
  return words("edit.says", { truth: className(label), said: className(best(q)), share, before });
}

const MOST_MAPS = 8;

/** The maps of the first convolution, of the original and now. */
export function firstMaps() {
  const first = DATA.model.layers.find((layer) => layer.kind === "conv2d") ?? DATA.model.layers[0];
  const shown = first.shape_out.length === 3 ? Math.min(first.shape_out[0], MOST_MAPS) : 0;
  const pairs = Array.from({ length: shown }, () => ["before", "now"].map((when) => mapOf(first, when)));
  const head = div("pair head", h("small", {}, words("edit.maps.original")), h("small", {}, words("edit.maps.now")));
  const columns = pairs.map((pair) =>
    div(
      "pair",
      pair.map((grid) => grid.root),
    ),
  );
  const root = div(
    "edit-maps",
    shown > 0 && [
      div("bars-title", words("edit.maps.of", { layer: first.label }), origin("browser")),
      h("div", { class: "pairs", style: { "--count": shown } }, head, columns),
    ],
  );
  return {
    root,
    show(was, is) {
      const paint = scaleFor(was[first.label]);
      pairs.forEach((pair, c) =>
        [was, is].forEach((outs, when) => {
          const map = outs[first.label].part(c);
          pair[when].set({ value: (r, q) => map.at(r, q), paint });
        }),
      );
    },
  };
}

function mapOf(layer, when) {
  const [, rows, cols] = layer.shape_out;
  const role = when === "now" ? "output" : "plain";
  return new Grid({
    rows,
    cols,
    cell: 84 / cols,
    role,
    text: () => null,
    name: words(`edit.maps.grid_${when}`, { layer: layer.label }),
  });
}
