// twin: the engine's layers once more, in the browser, for what the reader changes.  selfcheck.js holds it to the
// engine's arrays.  Sums are in float64, the engine's in float32; nothing here is shown without being labelled.

import { DATA, Values, values } from "../base/data.js";
import { outputSize } from "./conv.js";
import { filterBackward, filterForward, poolWindows } from "./loops.js";
import { finished } from "./work.js";

export const twin = {
  conv2d(x, w, b, options) {
    return finished(twin.conv2dWork(x, w, b, options));
  },

  *conv2dWork(x, w, b, options) {
    const [O, CG, KH, KW] = w.shape;
    const [, H, W] = x.shape;
    const { stride, padding, dilation } = options;
    const OH = outputSize(H, KH, stride[0], padding[0], dilation[0]);
    const OW = outputSize(W, KW, stride[1], padding[1], dilation[1]);
    const out = new Values(new Float64Array(O * OH * OW), [O, OH, OW]);
    for (let o = 0; o < O; o++) {
      const map = out.part(o);
      map.data.fill(b ? b.data[o] : 0);
      filterForward(x, w, o, options, map);
      yield map.data.length * CG * KH * KW;
    }
    return out;
  },

  linear(x, w, b) {
    const [O, I] = w.shape;
    const out = new Float64Array(O);
    for (let o = 0; o < O; o++) {
      let sum = b ? b.data[o] : 0;
      for (let i = 0; i < I; i++) sum += x.data[i] * w.data[o * I + i];
      out[o] = sum;
    }
    return new Values(out, [O]);
  },

  /** Every window of a pooling layer: visit(output place, where its channel begins, window). */
  pool(x, layer, visit) {
    const [C, H, W] = x.shape;
    const windows = poolWindows(layer, [H, W]);
    for (let c = 0, place = 0; c < C; c++) for (const window of windows) visit(place++, c * H * W, window);
  },

  avg_pool2d(x, layer) {
    const out = new Values(new Float64Array(layer.shape_out.reduce((a, b) => a * b)), layer.shape_out);
    twin.pool(x, layer, (place, first, { pixels, count }) => {
      for (const k of pixels) out.data[place] += x.data[first + k];
      out.data[place] /= count;
    });
    return out;
  },

  max_pool2d(x, layer) {
    const out = new Values(new Float64Array(layer.shape_out.reduce((a, b) => a * b)), layer.shape_out);
    twin.pool(x, layer, (place, first, { pixels }) => {
      out.data[place] = Math.max(...pixels.map((k) => x.data[first + k]));
    });
    return out;
  },

  each: {
    sigmoid: (v) => 1 / (1 + Math.exp(-v)),
    relu: (v) => Math.max(v, 0),
    tanh: Math.tanh,
    dropout: (v) => v, // in evaluation nothing is dropped
  },

  slope: {
    // in terms of the output y
    sigmoid: (y) => y * (1 - y),
    relu: (y) => (y > 0 ? 1 : 0),
    tanh: (y) => 1 - y * y,
    dropout: () => 1,
  },

  /** Whether all layers of the model are known here; if not, the first that is not. */
  unknownLayer() {
    return DATA.model.layers.find(
      (layer) =>
        (!(layer.kind in twin.each) &&
          !["flatten", "conv2d", "linear", "avg_pool2d", "max_pool2d"].includes(layer.kind)) ||
        (layer.kind in { conv2d: 1, linear: 1 } && !values(layer.w)),
    );
  },

  /** One layer on one example. */
  layer(layer, x) {
    return finished(twin.layerWork(layer, x));
  },

  *layerWork(layer, x) {
    if (layer.kind === "conv2d") return yield* twin.conv2dWork(x, values(layer.w), values(layer.b), layer.options);
    yield layer.kind === "linear" ? values(layer.w).data.length : x.data.length;
    if (layer.kind === "linear") return twin.linear(x, values(layer.w), values(layer.b));
    if (layer.kind === "flatten") return x.reshape(...layer.shape_out);
    if (layer.kind in twin.each) return new Values(Float64Array.from(x.data, twin.each[layer.kind]), x.shape);
    return twin[layer.kind](x, layer);
  },

  /** All layers' outputs for an image (C, H, W), by label. */
  forward(x) {
    const outs = {};
    for (const layer of DATA.model.layers) outs[layer.label] = x = twin.layer(layer, x);
    return outs;
  },

  softmax(logits) {
    const most = Math.max(...logits.data);
    const powers = Array.from(logits.data, (v) => Math.exp(v - most));
    const sum = powers.reduce((a, b) => a + b);
    return powers.map((v) => v / sum);
  },

  /** The gradient of one number of a layer's output by the image; `inputs` and `outs` are the layers' arrays. */
  *inputGradientWork(label, place, inputOf, outOf) {
    let k = DATA.model.layers.findIndex((layer) => layer.label === label);
    let dy = new Float64Array(outOf(label).data.length);
    dy[place] = 1;
    for (; k >= 0; k--) {
      const layer = DATA.model.layers[k];
      dy = yield* twin.layerBackWork(layer, inputOf(layer.label), outOf(layer.label), dy);
    }
    return dy;
  },

  *layerBackWork(layer, x, y, dy) {
    yield dy.length;
    if (layer.kind === "flatten") return dy;
    const dx = new Values(new Float64Array(x.data.length), x.shape);
    const slope = twin.slope[layer.kind];
    if (slope) {
      for (let k = 0; k < dy.length; k++) if (dy[k]) dx.data[k] = dy[k] * slope(y.data[k]);
    } else if (layer.kind === "linear") {
      const { data: w, shape } = values(layer.w);
      const [O, I] = shape;
      for (let o = 0; o < O; o++) if (dy[o]) for (let i = 0; i < I; i++) dx.data[i] += dy[o] * w[o * I + i];
      yield O * I;
    } else if (layer.kind === "conv2d") {
      const maps = new Values(dy, layer.shape_out);
      for (let o = 0; o < maps.shape[0]; o++) yield filterBackward(maps.part(o), values(layer.w), o, layer.options, dx);
    } else if (layer.kind === "avg_pool2d") {
      twin.pool(x, layer, (place, first, { pixels, count }) => {
        if (dy[place]) for (const k of pixels) dx.data[first + k] += dy[place] / count;
      });
    } else {
      twin.pool(x, layer, (place, first, { pixels }) => {
        if (dy[place]) dx.data[first + pixels.find((k) => x.data[first + k] === y.data[place])] += dy[place];
      });
    }
    return dx.data;
  },
};
