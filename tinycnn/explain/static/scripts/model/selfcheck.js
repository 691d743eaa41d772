// selfcheck: whatever the browser works out by itself is held to the engine's arrays when the page opens.
// document.documentElement.dataset.selfcheck is "pass" or "fail", .maxdiff the largest relative difference.

import { DATA, Values, values } from "../base/data.js";
import { words } from "../base/words.js";
import { outputSize } from "./conv.js";
import { modelConv, toyConv } from "./convolutions.js";
import { scatter, weightGradient } from "./gradients.js";
import { inputOf } from "./samples.js";
import { twin } from "./twin.js";

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

const SLICE = 25; // milliseconds of work, between which the page can answer its reader

/** Check everything, a slice at a time, then call done(checks). */
export function selfcheck(done) {
  const checks = new Map();
  const note = (name, far, tolerance = TOLERANCE) => {
    const { difference: worst, count } = checks.get(name) ?? { difference: 0, count: 0 };
    checks.set(name, { name, difference: Math.max(worst, far), tolerance, count: count + 1 });
  };
  const work = everyCheck(note);
  const slice = () => {
    const end = performance.now() + SLICE;
    do {
      if (work.next().done) return done(verdictOf([...checks.values()]));
    } while (performance.now() < end);
    return setTimeout(slice);
  };
  setTimeout(slice);
}

/** The checks, with a stop after each small part. */
function* everyCheck(note) {
  checkSizes(note);
  for (const found of DATA.lesson.cases) {
    const [s, p, d] = [found.stride[0], found.padding[0], found.dilation[0]];
    yield* checkConv(toyConv({ s, p, d, flip: Number(found.flip), edits: "" }), words("check.rows.toy"), note);
  }
  for (const [img, sample] of (DATA.samples ?? []).entries()) yield* checkSample(sample, img, note);
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
}

/** One convolution: forward, the columns to the bit, the product with them, and both gradients. */
function* checkConv(conv, name, note) {
  note(
    words("check.rows.output", { name }),
    difference(twin.conv2d(conv.x, conv.w, conv.b, conv.options).data, conv.out),
  );
  yield;
  if (conv.cols) {
    const cols = conv.cols;
    conv.cols = null; // so that column() reads the image
    const read = everyColumn(conv, cols, (g, k, l) => conv.column(g, k, l));
    conv.cols = cols;
    note(words("check.rows.columns", { name }), difference(read, cols), 0);
    yield;
    if (conv.grad_w) note(words("check.rows.weights", { name }), difference(weightGradient(conv), conv.grad_w));
  }
  yield;
  if (conv.grad_cols) {
    const theirs = conv.grad_cols;
    conv.grad_cols = null; // so that gradColumn() works it out
    const ours = everyColumn(conv, theirs, (g, k, l) => conv.gradColumn(g, k, l));
    conv.grad_cols = theirs;
    note(words("check.rows.columns_gradient", { name }), difference(ours, theirs));
  }
  yield;
  if (conv.grad_cols && conv.grad_x) {
    note(words("check.rows.col2im", { name }), difference(scatter(conv).data, conv.grad_x));
  }
  yield;
  if (conv.partials) {
    const sums = Float64Array.from(conv.out.data, (_, place) => {
      let sum = conv.bias(Math.floor(place / conv.L));
      for (let c = 0; c < conv.CG; c++) sum += conv.partials.data[c * conv.out.data.length + place];
      return sum;
    });
    note(words("check.rows.partials", { name }), difference(sums, conv.out));
  }
}

/** entry(g, k, l) for every number of an array that is laid out as the columns are: (g, i, k, j). */
function everyColumn(conv, like, entry) {
  return Float64Array.from(like.data, (_, place) => {
    const [j, k] = [place % conv.OW, Math.floor(place / conv.OW) % conv.K];
    const i = Math.floor(place / (conv.OW * conv.K)) % conv.OH;
    return entry(Math.floor(place / (conv.OW * conv.K * conv.OH)), k, i * conv.OW + j);
  });
}

function* checkSample(sample, img, note) {
  const name = words("check.rows.image", { n: img + 1 });
  const unknownLayer = twin.unknownLayer();
  for (const layer of DATA.model.layers) {
    const ids = sample.layers[layer.label];
    yield;
    const out = values(ids.out);
    if (!out) continue;
    if (!unknownLayer)
      note(
        words("check.rows.layer", { name, layer: layer.label }),
        difference(twin.layer(layer, inputOf(sample, layer.label)).data, out),
      );
    const conv = modelConv(layer.label, img);
    if (conv) yield* checkConv(conv, words("check.rows.layer", { name, layer: layer.label }), note);
  }
  if (unknownLayer) return;
  const last = DATA.model.layers.at(-1).label;
  const outs = twin.forward(values(sample.x));
  note(words("check.rows.net", { name }), difference(outs[last].data, values(sample.layers[last].out)));
  yield;
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
    yield;
    const theirs = values(unit.gradient);
    if (!theirs) continue;
    note(
      words("check.rows.units", { name }),
      difference(cropped(browserGradient(sample, unit.layer, unit.index), unit, theirs), theirs),
    );
  }
}

/** The gradient of a unit by the image, worked out by the browser from the engine's activations: (C, H, W). */
export function browserGradient(sample, label, index) {
  const out = values(sample.layers[label].out);
  const place = index.reduce((sum, k, axis) => sum + k * out.strides[axis], 0);
  const gradient = twin.inputGradient(
    label,
    place,
    (l) => inputOf(sample, l),
    (l) => values(sample.layers[l].out),
  );
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
