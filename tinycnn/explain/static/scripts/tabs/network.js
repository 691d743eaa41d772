// tab "Network": every map of every layer; one unit, what it can see, and what it looks at.

import { scaleFor } from "../base/colour.js";
import { DATA, values } from "../base/data.js";
import { div, h } from "../base/dom.js";
import { brief, clamp, round, sum } from "../base/numbers.js";
import { set, state } from "../base/state.js";
import { pieces, words } from "../base/words.js";
import { className, currentSample, SILENT } from "../model/samples.js";
import { choice } from "../widgets/controls.js";
import { Grid } from "../widgets/grid.js";
import { table, tableRow } from "../widgets/labels.js";
import { mapGrid } from "../widgets/panel.js";
import { layout } from "../widgets/stage.js";
import { imageChoice } from "./conv_controls.js";
import { choose, currentUnit, inspectorOf, strongest, unitSentence } from "./network_unit.js";
import { networkQuestions } from "./questions_net.js";

const MOST_MAPS = 64; // of one layer that are shown

export const networkTab = {
  id: "network",
  lesson: "08_lenet",
  questions: networkQuestions,

  build(stage, say) {
    const img = imageChoice();
    const scopes = [
      ["layer", words("network.colours.layer")],
      ["map", words("network.colours.map")],
    ];
    const scope = choice(words("network.colours.name"), scopes, (value) => set({ scope: value }));
    const [maps, inspector] = [div("layers"), inspectorOf()];
    const layers = DATA.model.layers.filter((layer) => !SILENT.includes(layer.kind));
    const controls = div("controls", DATA.samples.length > 1 && img, scope);
    layout(stage, { controls, figure: div("network", maps, inspector.root), bar: say, rest: layerTable() });
    let [shown, rows] = [null, new Map()];
    return () => {
      img.show(state.img);
      scope.show(state.scope);
      const key = `${state.img} ${state.scope}`;
      if (shown !== key) {
        shown = key;
        rows = new Map();
        maps.replaceChildren(imageRow(), ...layers.map((layer) => layerRow(layer, rows)));
      }
      const unit = currentUnit();
      for (const [label, grids] of rows) markUnit(label, grids, unit);
      inspector.show(unit);
      say.say(unitSentence(unit));
    };
  },
};

function imageRow() {
  const x = values(currentSample().x);
  const options = { role: "input", cell: 64 / x.shape[2], name: words("network.image.grid") };
  const grids = Array.from({ length: x.shape[0] }, (_, c) => mapGrid(x.part(c), scaleFor(x), options).root);
  return div(
    "layer",
    div("layer-name", h("b", {}, words("network.image.name")), h("small", {}, x.shape.join(" × "))),
    div("maps", grids),
  );
}

function layerRow(layer, rows) {
  const out = values(currentSample().layers[layer.label].out);
  const grids = layer.shape_out.length === 3 ? unitMaps(layer, out) : [unitVector(layer, out, scaleFor(out))];
  rows.set(layer.label, grids);
  const hidden = layer.shape_out.length === 3 ? layer.shape_out[0] - MOST_MAPS : 0;
  return div(
    `layer ${layer.kind}`,
    div(
      "layer-name",
      h("b", {}, layer.label),
      h("small", {}, layer.shape_out.join(" × ")),
      h("small", { class: "range" }, rangeOf(out)),
    ),
    div(
      "maps",
      grids.map((grid) => grid.root),
      hidden > 0 && h("small", {}, words("network.more", { n: hidden })),
      layer === DATA.model.layers.at(-1) && verdictOf(out),
    ),
  );
}

function unitMaps(layer, out) {
  const shown = Math.min(layer.shape_out[0], MOST_MAPS);
  const paint = (part) => scaleFor(state.scope === "map" ? part : out);
  return Array.from({ length: shown }, (_, c) => unitMap(layer, out.part(c), c, paint(out.part(c))));
}

/** What the network says, and the truth. */
function verdictOf(logits) {
  const best = logits.data.indexOf(logits.data.reduce((a, b) => Math.max(a, b)));
  const truth = currentSample().label;
  const parts = { said: h("b", {}, className(best)), truth: className(truth) };
  return h("small", {}, pieces(best === truth ? "network.verdict.right" : "network.verdict.wrong", parts));
}

/** The least and the greatest number of an array, in words. */
function rangeOf(array) {
  const ends = [array.data.reduce((a, b) => Math.min(a, b)), array.data.reduce((a, b) => Math.max(a, b))];
  const [least, most] = ends.map((v) => brief(Math.abs(v) < array.most / 1000 ? 0 : Number(v.toPrecision(2))));
  return words("network.range", { least, most });
}

function unitMap(layer, map, c, paint) {
  const [height, width] = map.shape;
  return mapGrid(map, paint, {
    role: "output",
    cell: Math.min(56, Math.max(26, Math.floor(620 / layer.shape_out[0]) - 6), width > 20 ? 56 : 44) / width,
    name: words("network.grids.map", { layer: layer.label, c }),
    onpick: (i, j) => choose(layer, [c, i, j]),
    onmove: (di, dj) => {
      const { layer: now, index } = currentUnit();
      const [, i, j] = now.label === layer.label && index[0] === c ? index : (strongest(layer.label, c) ?? [c, 0, 0]);
      choose(layer, [c, clamp(i + di, 0, height - 1), clamp(j + dj, 0, width - 1)]);
    },
  });
}

function unitVector(layer, out, paint) {
  const [size] = layer.shape_out;
  const columns = size <= 16 ? size : 30;
  const grid = new Grid({
    rows: Math.ceil(size / columns),
    cols: columns,
    cell: size <= 16 ? 30 : 12,
    paint,
    role: "output",
    text: size <= 16 ? (v) => round(v, 1) : () => null,
    value: (r, c) => (r * columns + c < size ? out.at(r * columns + c) : null),
    name: words("network.grids.vector", { layer: layer.label, n: size }),
    onpick: (r, c) => {
      if (r * columns + c < size) choose(layer, [r * columns + c]);
    },
    onmove: (dr, dc) => {
      const { layer: now, index } = currentUnit();
      const k = now.label === layer.label ? index[0] : 0;
      choose(layer, [clamp(k + dr * columns + dc, 0, size - 1)]);
    },
  });
  grid.columns = columns;
  return grid;
}

function markUnit(label, grids, { layer, index }) {
  const chosen = layer.label === label;
  grids.forEach((grid, c) => {
    const vector = grid.columns !== undefined;
    const here = chosen && (vector || index[0] === c);
    const at = vector ? [Math.floor(index[0] / grid.columns), index[0] % grid.columns] : index.slice(1);
    grid.mark("unit", here ? [[...at, 1, 1]] : [], "unit");
    grid.root.classList.toggle("chosen", here);
    grid.root.tabIndex = here || (!chosen && c === 0) ? 0 : -1;
  });
}

function layerTable() {
  const total = (name) => sum(DATA.model.layers.map((layer) => layer[name] ?? 0)).toLocaleString("en");
  const text = (v) => (v ? v.toLocaleString("en") : "");
  const rows = DATA.model.layers.map((layer) =>
    tableRow(layer.label, h("td", { class: "kind" }, layer.text), [
      layer.shape_out.join(" × "),
      text(layer.parameters),
      text(layer.multiply_adds),
      layer.field ? layer.field.size.join(" × ") : "",
    ]),
  );
  const foot = tableRow(words("network.table.total"), h("td"), ["", total("parameters"), total("multiply_adds"), ""]);
  const known = ["layer", "", "output", "parameters", "multiply_adds", "field"];
  const names = known.map((name) => name && words(`network.table.${name}`));
  return h(
    "details",
    { class: "table" },
    h("summary", {}, words("network.table.name")),
    h("div", { class: "scroll", tabindex: 0 }, table(names, 2, rows, { foot })),
  );
}
