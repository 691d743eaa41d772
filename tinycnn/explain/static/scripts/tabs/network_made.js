// network_made: how one number of the network was made: its window, its curve, its largest terms, its exponentials.

import { DATA, values } from "../base/data.js";
import { div, h, svg } from "../base/dom.js";
import { brief, sum } from "../base/numbers.js";
import { set } from "../base/state.js";
import { words } from "../base/words.js";
import { currentSample, inputOf } from "../model/samples.js";
import { twin } from "../model/twin.js";
import { button } from "../widgets/controls.js";
import { origin, table, tableRow } from "../widgets/labels.js";

const TERMS = 5; // of a dense layer's sum that are written out; the others are added up

/** How the chosen number was made, as elements; for a convolution a button that shows it in the tab Slide. */
export function madeOf({ layer, index }) {
  const sample = currentSample();
  const [x, y] = [inputOf(sample, layer.label), values(sample.layers[layer.label].out)];
  const place = index.reduce((total, k, axis) => total + k * y.strides[axis], 0);
  if (layer.w && !values(layer.w)) return null; // they were left out of the page
  if (layer.kind === "conv2d" && index.length === 3) return inSlide(layer, index);
  if (layer.kind.endsWith("pool2d")) return poolOf(layer, x, place, y.data[place]);
  if (layer.kind in twin.slope && layer.kind !== "dropout") return curveOf(layer.kind, x.data[place], y.data[place]);
  if (layer.kind !== "linear") return null;
  return [termsOf(layer, x, place), layer === DATA.model.layers.at(-1) && softmaxOf(y, place)];
}

function inSlide(layer, [o, i, j]) {
  const go = () => set({ tab: "slide", src: layer.label, o, i, j, c: 0 });
  return button(words("network.made.slide"), go, { class: "made-there" });
}

/** "name: 1 + 2 = 3", with who worked it out. */
function line(name, text, result) {
  return h(
    "p",
    { class: "made-line" },
    h("b", {}, name),
    ` ${text} = `,
    h("output", { class: "made" }, result),
    " ",
    origin("browser"),
  );
}

function poolOf(layer, x, place, result) {
  let found = null;
  twin.pool(x, layer, (k, first, { pixels, count }) => {
    if (k === place) found = [pixels.map((p) => x.data[first + p]), count];
  });
  const [numbers, share] = found;
  const text = numbers.map((v) => brief(v));
  if (layer.kind === "max_pool2d") return line(words("network.made.largest"), text.join(", "), brief(result));
  return line(words("network.made.mean"), `(${text.join(" + ")}) / ${share}`, brief(sum(numbers) / share));
}

const [WIDE, HIGH] = [230, 120];

/** The activation's curve, with the point where this number lies and its slope there. */
function curveOf(kind, x, y) {
  const f = twin.each[kind];
  const reach = Math.max(4, Math.abs(x) * 1.2);
  const [low, high] = [f(-reach), f(reach)];
  const X = (v) => WIDE / 2 + (v / reach) * (WIDE / 2 - 6);
  const Y = (v) => HIGH - 10 - ((v - low) / (high - low)) * (HIGH - 20);
  const points = Array.from({ length: 81 }, (_, k) => reach * (k / 40 - 1)).map((v) => `${X(v)},${Y(f(v))}`);
  const slope = twin.slope[kind](y);
  const [from, to] = [x - reach / 4, x + reach / 4];
  const drawing = svg(
    "svg",
    {
      viewBox: `0 0 ${WIDE} ${HIGH}`,
      class: "made-curve",
      role: "img",
      "aria-label": words("network.grids.curve", { kind }),
    },
    svg("line", { x1: X(0), x2: X(0), y1: 4, y2: HIGH - 4, class: "rule" }),
    svg("line", { x1: 4, x2: WIDE - 4, y1: Y(0), y2: Y(0), class: "rule" }),
    svg("polyline", { points: points.join(" "), class: "curve output" }),
    svg("line", {
      x1: X(from),
      x2: X(to),
      y1: Y(y - slope * (x - from)),
      y2: Y(y + slope * (to - x)),
      class: "curve gradient",
    }),
    svg("circle", { cx: X(x), cy: Y(y), r: 4.5, class: "point kernel" }),
  );
  const text = words("network.made.slope", { slope: brief(slope) });
  return [drawing, line(kind, words("network.made.of", { x: brief(x) }), brief(f(x))), h("p", { class: "note" }, text)];
}

/** The largest products of a dense layer's sum, all others in one, and the bias. */
function termsOf(layer, x, o) {
  const w = values(layer.w).part(o);
  const products = Array.from(w.data, (v, k) => ({ k, v, x: x.data[k], product: v * x.data[k] }));
  products.sort((a, b) => Math.abs(b.product) - Math.abs(a.product));
  const bias = layer.b ? values(layer.b).at(o) : 0;
  const rest = products.slice(TERMS);
  const row = ({ k, v, x: input, product }) =>
    tableRow(words("network.made.number", { k: String(k) }), null, [brief(input), brief(v), brief(product)]);
  const rows = [...products.slice(0, TERMS).map(row)];
  if (rest.length)
    rows.push(
      tableRow(words("network.made.others", { n: rest.length }), null, [
        "",
        "",
        brief(sum(rest.map((one) => one.product))),
      ]),
    );
  rows.push(tableRow(words("terms.bias"), null, ["", "", brief(bias)]));
  const total = sum(products.map((one) => one.product)) + bias;
  const names = ["from", "input", "weight", "share"].map((name) => words(`network.made.${name}`));
  return div(
    "made-terms",
    table(names, 1, rows),
    line(words("network.made.together"), words("network.made.shares"), brief(total)),
  );
}

/** The exponentials of the logits, and the probability of this one's class. */
function softmaxOf(logits, place) {
  const most = Math.max(...logits.data);
  const powers = Array.from(logits.data, (v) => Math.exp(v - most));
  const power = `e^(${brief(logits.data[place])} − ${brief(most)})`;
  const text = words("network.made.powers", { power, sum: brief(sum(powers)) });
  const share = brief(powers[place]);
  return line("softmax", `${text} ${share} / ${brief(sum(powers))}`, brief(powers[place] / sum(powers)));
}
