// selfcheck: whatever the browser works out by itself is held to the engine's arrays when the page opens.
// document.documentElement.dataset.selfcheck is "pass" or "fail", .maxdiff the largest relative difference.

import { DATA, Values, values } from "../base/data.js";
import { words } from "../base/words.js";
import { outputSize } from "./conv.js";
import { modelConv, toyConv } from "./convolutions.js";
import { scatterWork, weightGradientWork } from "./gradients.js";
import { checkLab } from "./lab_check.js";
import { inputOf } from "./samples.js";
import { twin } from "./twin.js";
import { finished } from "./work.js";

const TOLERANCE = 1e-4; // of the largest number of an array: the browser adds in float64, the engine in float32

/** The largest difference, as a share of `most`; infinite where shapes differ or a number is missing. */
function difference(ours, theirs, most = theirs.most) {
  if (ours.length !== theirs.data.length) return Infinity;
  let worst = 0;
  for (let k = 0; k < ours.length; k++) {
    const d = Math.abs(ours[k] - theirs.data[k]) / most;
    if (!(d <= worst)) worst = d >= 0 ? d : Infinity; // NaN counts as infinitely far off
  }
  return worst;
}

const SLICE = 400_000; // products and sums, after which the page can answer its reader

/** Check everything, a slice at a time, then call done(checks).  The root's dataset says how large the slices were. */
export function selfcheck(done) {
  const checks = new Map();
  const note = (name, far, tolerance = TOLERANCE) => {
    const { difference: worst, count } = checks.get(name) ?? { difference: 0, count: 0 };
    checks.set(name, { name, difference: Math.max(worst, far), tolerance, count: count + 1 });
  };
  const work = everyCheck(note);
  const next = new MessageChannel(); // timers would wait for some milliseconds between two slices
  let [slices, largest] = [0, 0];
  const slice = () => {
    let [size, part] = [0, { done: false }];
    while (size < SLICE && !part.done) {
      part = work.next();
      size += part.value ?? 0;
    }
    [slices, largest] = [slices + 1, Math.max(largest, size)];
    if (!part.done) return next.port2.postMessage(null);
    Object.assign(document.documentElement.dataset, { slices, largest });
    next.port1.close();
    return done(verdictOf([...checks.values()]));
  };
  next.port1.onmessage = slice;
  next.port2.postMessage(null);
}

/** The checks, with a stop after each part, which says how many products and sums it took. */
function* everyCheck(note) {
  yield checkSizes(note);
  for (const found of DATA.lesson.cases) {
    const [s, p, d] = [found.stride[0], found.padding[0], found.dilation[0]];
    yield* checkConv(toyConv({ s, p, d, flip: Number(found.flip), edits: "" }), words("check.rows.toy"), note);
  }
  for (const [img, sample] of (DATA.samples ?? []).entries()) yield* checkSample(sample, img, note);
  yield* checkLab(note, difference);
}

/** What was found is written on the document's root. */
function verdictOf(checks) {
  for (const check of checks) check.ok = check.difference <= check.tolerance;
  const root = document.documentElement.dataset;
  root.maxdiff = Math.max(...checks.map((check) => check.difference));
  root.selfcheck = checks.every((check) => check.ok) ? "pass" : "fail";
  return checks;
}

function checkSizes(note) {
  const table = values(DATA.lesson.sizes);
  for (let row = 0; row < table.shape[0]; row++) {
    const [n, k, s, p, d, size] = table.part(row).data;
    note(words("check.rows.sizes"), outputSize(n, k, s, p, d) === size ? 0 : Infinity, 0);
  }
  return table.data.length;
}

/** One convolution: forward, the columns to the bit, the product with them, and both gradients. */
function* checkConv(conv, name, note) {
  const out = yield* twin.conv2dWork(conv.x, conv.w, conv.b, conv.options);
  note(words("check.rows.output", { name }), difference(out.data, conv.out));
  const bare = Object.assign(Object.create(conv), { cols: null, grad_cols: null }); // which reads and works out itself
  if (conv.cols) {
    const read = yield* everyColumn(conv, 1, (g, k, l) => bare.column(g, k, l));
    note(words("check.rows.columns", { name }), difference(read, conv.cols), 0);
    if (conv.grad_w) {
      const dw = yield* weightGradientWork(conv);
      note(words("check.rows.weights", { name }), difference(dw, conv.grad_w));
    }
  }
  if (conv.grad_cols) {
    const ours = yield* everyColumn(conv, conv.O / conv.G, (g, k, l) => bare.gradColumn(g, k, l));
    note(words("check.rows.columns_gradient", { name }), difference(ours, conv.grad_cols));
  }
  if (conv.grad_cols && conv.grad_x) {
    const dx = yield* scatterWork(conv);
    note(words("check.rows.col2im", { name }), difference(dx.data, conv.grad_x));
  }
  if (conv.partials) note(words("check.rows.partials", { name }), difference(yield* partialSums(conv), conv.out));
}

/** The partial maps and the bias, added up. */
function* partialSums(conv) {
  const sums = new Float64Array(conv.out.data.length);
  for (let o = 0; o < conv.O; o++) {
    for (let place = o * conv.L; place < (o + 1) * conv.L; place++) {
      sums[place] = conv.bias(o);
      for (let c = 0; c < conv.CG; c++) sums[place] += conv.partials.data[c * sums.length + place];
    }
    yield conv.CG * conv.L;
  }
  return sums;
}

/** entry(g, k, l) for every number of the columns, as they are laid out: (g, i, k, j); each takes `cost` products. */
function* everyColumn(conv, cost, entry) {
  const found = new Float64Array(conv.G * conv.K * conv.L);
  for (let row = 0, place = 0; row < conv.G * conv.OH; row++) {
    const [g, i] = [Math.floor(row / conv.OH), row % conv.OH];
    for (let k = 0; k < conv.K; k++) {
      for (let j = 0; j < conv.OW; j++, place++) found[place] = entry(g, k, i * conv.OW + j);
    }
    yield conv.K * conv.OW * cost;
  }
  return found;
}

function* checkSample(sample, img, note) {
  const name = words("check.rows.image", { n: img + 1 });
  const unknownLayer = twin.unknownLayer();
  for (const layer of DATA.model.layers) {
    const out = values(sample.layers[layer.label].out);
    if (!out) continue;
    if (!unknownLayer) {
      const ours = yield* twin.layerWork(layer, inputOf(sample, layer.label));
      note(words("check.rows.layer", { name, layer: layer.label }), difference(ours.data, out));
    }
    const conv = modelConv(layer.label, img);
    if (conv) yield* checkConv(conv, words("check.rows.layer", { name, layer: layer.label }), note);
  }
  if (unknownLayer) return;
  const last = DATA.model.layers.at(-1).label;
  let x = values(sample.x);
  for (const layer of DATA.model.layers) x = yield* twin.layerWork(layer, x);
  note(words("check.rows.net", { name }), difference(x.data, values(sample.layers[last].out)));
  yield* checkGradients(sample, name, last, note);
}

function* checkGradients(sample, name, last, note) {
  const slope = values(sample.layers[last].grad_out);
  if (slope) {
    const p = twin.softmax(values(sample.layers[last].out));
    p[sample.label] -= 1;
    note(words("check.rows.softmax", { name }), difference(p, slope, 1)); // as a share of a probability of 1
  }
  for (const unit of sample.units) {
    const theirs = values(unit.gradient);
    if (!theirs) continue;
    const ours = yield* gradientWork(sample, unit.layer, unit.index);
    note(words("check.rows.units", { name }), difference(cropped(ours, unit, theirs), theirs));
  }
}

/** The gradient of a unit by the image, worked out by the browser from the engine's activations: (C, H, W). */
export function browserGradient(sample, label, index) {
  return finished(gradientWork(sample, label, index));
}

function* gradientWork(sample, label, index) {
  const out = values(sample.layers[label].out);
  const place = index.reduce((sum, k, axis) => sum + k * out.strides[axis], 0);
  const input = (l) => inputOf(sample, l);
  const gradient = yield* twin.inputGradientWork(label, place, input, (l) => values(sample.layers[l].out));
  return new Values(gradient, values(sample.x).shape);
}

function cropped(gradient, unit, like) {
  const [C, h, w] = like.shape;
  const [r, q] = unit.corner;
  const part = new Float64Array(C * h * w);
  for (let c = 0, place = 0; c < C; c++) {
    for (let a = 0; a < h; a++) for (let b = 0; b < w; b++) part[place++] = gradient.at(c, r + a, q + b);
  }
  return part;
}
