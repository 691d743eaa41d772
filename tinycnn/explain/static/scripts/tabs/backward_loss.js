// backward_loss: where the gradient starts, and how large it still is in each layer.

import { scale, scaleFor } from "../base/colour.js";
import { DATA, values } from "../base/data.js";
import { div, h, span } from "../base/dom.js";
import { brief, minus, round } from "../base/numbers.js";
import { state } from "../base/state.js";
import { words } from "../base/words.js";
import { arraysOf, className, currentSample, SILENT } from "../model/samples.js";
import { twin } from "../model/twin.js";
import { code } from "../widgets/code.js";
import { Grid } from "../widgets/grid.js";
import { meter, origin, signedMeter } from "../widgets/labels.js";
import { mapGrid } from "../widgets/panel.js";
import { intro } from "../widgets/stage.js";
import { imageChoice } from "./conv_controls.js";

/** Softmax, label, and their difference: where the gradient starts. */
export function lossPart() {
  const [body, text, img] = [div("bars"), h("p", { class: "note" }), imageChoice()];
  const listing = code("loss");
  listing.lit(["slope"]);
  return {
    name: words("backward.parts.loss"),
    controls: [intro(words("backward.loss.title"), words("backward.loss.what")), DATA.samples.length > 1 && img],
    figure: [body, text],
    rest: listing,
    update() {
      const sample = currentSample();
      img.show(state.img);
      body.replaceChildren(...lossBars(sample));
      const facts = { truth: className(sample.label), loss: round(sample.loss, 4) };
      text.textContent = words("backward.loss.truth", facts);
    },
  };
}

function lossBars(sample) {
  const last = sample.layers[DATA.model.layers.at(-1).label];
  const slope = values(last.grad_out);
  const head = div("bar-row head", h("span"), h("span", {}, "p ", origin("browser")));
  head.append(h("span", {}, "p − y ", slope && origin("engine")));
  const bar = (probability, k) =>
    div(
      `bar-row${k === sample.label ? " truth" : ""}`,
      span("bar-name", className(k) ?? k),
      meter(probability, "output", probability.toFixed(3)),
      slope && signedMeter(slope.at(k), 1, minus(slope.at(k).toFixed(3))),
    );
  return [head, ...twin.softmax(values(last.out)).map(bar)];
}

/** Activations and their gradients side by side, and how large the gradients are. */
export function flowPart() {
  const [body, listing] = [div("flow"), code("sigmoid")];
  listing.lit(["slope"]);
  const kinds = DATA.model.layers.map((layer) => layer.kind);
  const bent = ["sigmoid", "relu"].find((kind) => kinds.includes(kind));
  const what = words("backward.layers.what", { slope: bent ? words(`backward.layers.${bent}`) : "" });
  const names = ["activation", "gradient", "size"];
  const head = [h("span"), names.map((name, k) => span(k === 1 ? name : "", words(`backward.layers.head.${name}`)))];
  let shown = null;
  return {
    name: words("backward.parts.layers"),
    controls: intro(words("backward.layers.title"), what),
    figure: body,
    rest: kinds.includes("sigmoid") && listing,
    update() {
      if (shown === state.img) return;
      shown = state.img;
      const sample = currentSample();
      const layers = DATA.model.layers.filter((layer) => !SILENT.includes(layer.kind));
      body.replaceChildren(div("flow-row head", head), ...layers.map((layer) => flowRow(layer, sample)).reverse());
    },
  };
}

function flowRow(layer, sample) {
  const { out, grad_out } = arraysOf({
    out: sample.layers[layer.label].out,
    grad_out: sample.layers[layer.label].grad_out,
  });
  const maps = (array, role) => (array ? smallMaps(array, role) : span("note", words("backward.layers.left_out")));
  const rms = (list) => list.find((entry) => entry.layer === layer.label)?.rms;
  const compared = state.img === 0 && DATA.flow.untrained;
  return div(
    "flow-row",
    h("b", {}, layer.label),
    maps(out, "output"),
    maps(grad_out, "gradient"),
    span(
      "rms",
      compared
        ? ["now", "untrained"].map((when) => rmsBar(when, rms(DATA.flow[when]), words(`backward.layers.${when}`)))
        : grad_out && rmsBar("now", rmsOf(grad_out), ""),
    ),
  );
}

/** The size of a gradient as a bar on a logarithmic scale over all that the page knows. */
function rmsBar(name, v, text) {
  const all = [...DATA.flow.now, ...(DATA.flow.untrained ?? [])].map((entry) => entry.rms).filter((rms) => rms > 0);
  const [least, most] = [Math.log10(Math.min(...all)) - 0.3, Math.log10(Math.max(...all))];
  const share = v > 0 ? (Math.log10(v) - least) / (most - least || 1) : 0;
  return span(
    `rms-bar ${name}`,
    meter(share, "gradient", ""),
    span("num", brief(v), text && h("small", {}, ` ${text}`)),
  );
}

function rmsOf(array) {
  return array ? Math.sqrt(array.data.reduce((sum, v) => sum + v * v, 0) / array.data.length) : 0;
}

function smallMaps(array, role) {
  const paint = role === "gradient" ? scale("signed", array.most) : scaleFor(array);
  if (array.shape.length === 1) return span("maps", vectorGrid(array, paint, role).root);
  const shown = Math.min(array.shape[0], 6);
  const map = (c) =>
    mapGrid(array.part(c), paint, { role, cell: 34 / array.shape[2], name: words(`backward.maps.${role}`, { c }) })
      .root;
  return span(
    "maps",
    Array.from({ length: shown }, (_, c) => map(c)),
  );
}

function vectorGrid(array, paint, role) {
  const columns = Math.min(array.shape[0], 30);
  return new Grid({
    rows: Math.ceil(array.shape[0] / columns),
    cols: columns,
    cell: columns < 20 ? 16 : 6,
    paint,
    role,
    text: () => null,
    name: words(`backward.vectors.${role}`),
    value: (r, c) => (r * columns + c < array.shape[0] ? array.at(r * columns + c) : null),
  });
}
