// network_unit: one number of one layer, the part of the image that it can see, and its gradient by the image.

import { key, scale, scaleFor } from "../base/colour.js";
import { DATA, Values, values } from "../base/data.js";
import { div, h, replace, span } from "../base/dom.js";
import { brief, exact, exactly } from "../base/numbers.js";
import { set, state } from "../base/state.js";
import { words } from "../base/words.js";
import { byLabel, className, currentSample, SILENT } from "../model/samples.js";
import { browserGradient } from "../model/selfcheck.js";
import { twin } from "../model/twin.js";
import { slider } from "../widgets/controls.js";
import { origin } from "../widgets/labels.js";
import { mapGrid, panel } from "../widgets/panel.js";
import { madeOf } from "./network_made.js";

/** The chosen unit {layer, index}: from the state, or the strongest of the last convolution's first map. */
export function currentUnit() {
  const [label, place] = state.unit.split(":");
  const layer = DATA.model.layers.find((l) => l.label === label);
  const index = (place ?? "").split(".").map(Number);
  const fits =
    layer &&
    index.length === layer.shape_out.length &&
    index.every((k, axis) => Number.isInteger(k) && k >= 0 && k < layer.shape_out[axis]);
  if (fits) return { layer, index };
  const last = DATA.model.layers.filter((l) => l.kind === "conv2d").at(-1) ?? DATA.model.layers.at(-1);
  return { layer: last, index: strongest(last.label, 0) ?? last.shape_out.map(() => 0) };
}

/** The unit of map c whose gradient the engine worked out. */
export function strongest(label, c) {
  return currentSample().units.find((unit) => unit.layer === label && unit.index[0] === c)?.index;
}

export function choose(layer, index) {
  set({ unit: `${layer.label}:${index.join(".")}` });
}

/** The part of the image that a unit can see: [row, column, height, width], clipped to the image. */
function fieldBox(layer, index) {
  const [, H, W] = values(currentSample().x).shape;
  if (!layer.field || index.length !== 3) return [0, 0, H, W];
  const side = (axis, size) => {
    const first = layer.field.start[axis] + index[axis + 1] * layer.field.jump[axis];
    return [Math.max(first, 0), Math.min(first + layer.field.size[axis], size)];
  };
  const [[top, bottom], [left, right]] = [side(0, H), side(1, W)];
  return [top, left, bottom - top, right - left];
}

/** The gradient of a unit by the image, and who worked it out. */
function gradientOf({ layer, index }) {
  const sample = currentSample();
  const known = sample.units.find((unit) => unit.layer === layer.label && String(unit.index) === String(index));
  const theirs = known && values(known.gradient);
  const shape = values(sample.x).shape;
  if (theirs) {
    const whole = new Values(new Float32Array(shape.reduce((a, b) => a * b)), shape);
    const [C, height, width] = theirs.shape;
    for (let c = 0; c < C; c++) {
      for (let r = 0; r < height; r++) {
        for (let q = 0; q < width; q++)
          whole.data[(c * shape[1] + known.corner[0] + r) * shape[2] + known.corner[1] + q] = theirs.at(c, r, q);
      }
    }
    return [whole, "engine"];
  }
  return twin.unknownLayer() ? [null, "browser"] : [browserGradient(sample, layer.label, index), "browser"];
}

/** The card beside the network; show(unit) fills it. */
export function inspectorOf() {
  const [title, value, room] = [h("h3", {}), div("unit-value"), div("inspect-grids")];
  const who = h("p", { class: "note" });
  const point = h("p", { class: "note hover", role: "status" });
  const [pick, map] = unitControls();
  const how = div("made-body");
  const made = h("details", { class: "made-how" }, h("summary", {}, words("network.made.name")), how);
  const controls = div(
    "controls",
    h("label", { class: "control" }, span("name", words("network.unit.layer")), pick),
    map,
  );
  const about = { class: "inspector", "aria-label": words("network.unit.about") };
  return {
    root: h("aside", about, title, value, controls, made, room, point, who),
    show(unit) {
      const { layer, index } = unit;
      const out = values(currentSample().layers[layer.label].out).at(...index);
      title.textContent = titleOf(unit);
      value.replaceChildren(
        h("output", { class: "value", data: { value: exact(out) } }, exactly(out)),
        origin("engine"),
      );
      pick.value = layer.label;
      map.limit(layer.shape_out[0] - 1);
      map.show(index[0]);
      map.firstChild.textContent = words(index.length === 3 ? "network.unit.map" : "network.unit.number");
      const [gradient, by] = gradientOf(unit);
      room.replaceChildren(...inspectGrids(unit, gradient, by, point));
      const way = madeOf(unit);
      made.hidden = !way;
      replace(how, way);
      const source = gradient ? by : "nobody";
      who.textContent = words(`network.unit.${source}`);
    },
  };
}

/** Which layer, and which of its maps. */
function unitControls() {
  const first = (layer, c) => choose(layer, strongest(layer.label, c) ?? [c, ...layer.shape_out.slice(1).map(() => 0)]);
  const loud = DATA.model.layers.filter((layer) => !SILENT.includes(layer.kind));
  const pick = h(
    "select",
    { "aria-label": words("network.unit.layer"), onchange: () => first(byLabel(pick.value), 0) },
    loud.map((layer) => h("option", { value: layer.label }, layer.label)),
  );
  return [pick, slider(words("network.unit.map"), 0, 1, (c) => first(currentUnit().layer, c))];
}

function titleOf({ layer, index }) {
  const [c, i, j] = index;
  if (index.length === 3) return words("network.unit.of_map", { layer: layer.label, c, i, j });
  const parts = { layer: layer.label, k: String(c), name: className(c) ?? "" };
  return words(layer === DATA.model.layers.at(-1) ? "network.unit.of_class" : "network.unit.of_vector", parts);
}

function inspectGrids({ layer, index }, gradient, by, point) {
  const x = values(currentSample().x);
  const cell = Math.min(26, 250 / x.shape[2]);
  const box = fieldBox(layer, index);
  const sees = mapGrid(x.part(0), scaleFor(x), { role: "input", cell, name: words("network.grids.field") });
  sees.mark("field", [box], "window");
  const grids = [panel([words("network.unit.sees"), h("span", { class: "dims" }, `${box[2]} × ${box[3]}`)], sees)];
  if (gradient) {
    const map = gradient.part(0);
    const looks = mapGrid(map, scale("signed", map.most), {
      role: "gradient",
      cell,
      name: words("network.grids.gradient"),
      onhover: (r, q) => {
        const v = by === "engine" ? exactly(map.at(r, q)) : brief(map.at(r, q));
        point.textContent = words("network.unit.slope", { r, q, v });
      },
      onleave: () => {
        point.textContent = "";
      },
    });
    looks.mark("field", [box], "window");
    grids.push(
      panel([words("network.unit.looks"), h("span", { class: "dims" }, words("network.unit.gradient"))], looks),
      h("div", { class: "below" }, key(looks.paint), origin(by)),
    );
  }
  return grids;
}

export function unitSentence({ layer, index }) {
  const [top, left, height, width] = fieldBox(layer, index);
  return words("network.unit.say", { layer: layer.label, height, width, top, left });
}
