// twin: the engine's layers once more, in the browser, for what the reader changes.  selfcheck.js holds it to the
// engine's arrays.  Sums are in float64, the engine's in float32; nothing here is shown without being labelled.

import { DATA, Values, values } from "../base/data.js";
import { finished } from "./work.js";

export const twin = {
  conv2d(x, w, b, options) {
    return finished(twin.conv2dWork(x, w, b, options));
  },

  *conv2dWork(x, w, b, { stride: [SH, SW], padding: [PH, PW], dilation: [DH, DW], groups: G }) {
    const [, H, W] = x.shape;
    const [O, CG, KH, KW] = w.shape;
    const OH = Math.floor((H + 2 * PH - DH * (KH - 1) - 1) / SH) + 1;
    const OW = Math.floor((W + 2 * PW - DW * (KW - 1) - 1) / SW) + 1;
    const out = new Float64Array(O * OH * OW);
    let place = 0;
    for (let o = 0; o < O; o++) {
      const first = Math.floor(o / (O / G)) * CG;
      for (let i = 0; i < OH; i++) {
        for (let j = 0; j < OW; j++, place++) {
          let sum = b ? b.data[o] : 0;
          for (let c = 0; c < CG; c++) {
            for (let u = 0; u < KH; u++) {
              const r = i * SH + u * DH - PH;
              if (r < 0 || r >= H) continue;
              for (let v = 0; v < KW; v++) {
                const q = j * SW + v * DW - PW;
                if (q < 0 || q >= W) continue;
                sum += x.data[((first + c) * H + r) * W + q] * w.data[((o * CG + c) * KH + u) * KW + v];
              }
            }
          }
          out[place] = sum;
        }
      }
      yield OH * OW * CG * KH * KW;
    }
    return new Values(out, [O, OH, OW]);
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

  /** The pixels under each window of a pooling layer: visit(output place, [input places], count to divide by). */
  pool(x, layer, visit) {
    const [C, H, W] = x.shape;
    const [, OH, OW] = layer.shape_out;
    const {
      kernel_size: [KH, KW],
      stride: [SH, SW],
      padding: [PH, PW],
      dilation: [DH, DW] = [1, 1],
    } = layer.options;
    for (let c = 0, place = 0; c < C; c++) {
      for (let i = 0; i < OH; i++) {
        for (let j = 0; j < OW; j++, place++) {
          const [top, left] = [i * SH - PH, j * SW - PW];
          const pixels = [];
          for (let u = 0; u < KH; u++) {
            for (let v = 0; v < KW; v++) {
              const [r, q] = [top + u * DH, left + v * DW];
              if (r >= 0 && q >= 0 && r < H && q < W) pixels.push((c * H + r) * W + q);
            }
          }
          const padded = (Math.min(top + KH, H + PH) - top) * (Math.min(left + KW, W + PW) - left);
          visit(place, pixels, layer.options.count_include_pad ? padded : pixels.length);
        }
      }
    }
  },

  avg_pool2d(x, layer) {
    const out = new Values(new Float64Array(layer.shape_out.reduce((a, b) => a * b)), layer.shape_out);
    twin.pool(x, layer, (place, pixels, count) => {
      out.data[place] = pixels.reduce((sum, k) => sum + x.data[k], 0) / count;
    });
    return out;
  },

  max_pool2d(x, layer) {
    const out = new Values(new Float64Array(layer.shape_out.reduce((a, b) => a * b)), layer.shape_out);
    twin.pool(x, layer, (place, pixels) => {
      out.data[place] = Math.max(...pixels.map((k) => x.data[k]));
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
    if (layer.kind in twin.slope) return dy.map((v, k) => v * twin.slope[layer.kind](y.data[k]));
    const dx = new Float64Array(x.data.length);
    if (layer.kind === "linear") {
      const w = values(layer.w);
      const [O, I] = w.shape;
      for (let o = 0; o < O; o++) if (dy[o]) for (let i = 0; i < I; i++) dx[i] += dy[o] * w.data[o * I + i];
      yield O * I;
    } else if (layer.kind === "conv2d") {
      yield* twin.convBackWork(x, values(layer.w), layer, dy, dx);
    } else if (layer.kind === "avg_pool2d") {
      twin.pool(x, layer, (place, pixels, count) => {
        for (const k of pixels) dx[k] += dy[place] / count;
      });
    } else {
      twin.pool(x, layer, (place, pixels) => {
        dx[pixels.find((k) => x.data[k] === y.data[place])] += dy[place];
      });
    }
    return dx;
  },

  /** col2im of w.T @ dy, one output at a time. */
  *convBackWork(x, w, layer, dy, dx) {
    const {
      stride: [SH, SW],
      padding: [PH, PW],
      dilation: [DH, DW],
      groups: G,
    } = layer.options;
    const [, H, W] = x.shape;
    const [O, CG, KH, KW] = w.shape;
    const [, OH, OW] = layer.shape_out;
    for (let o = 0, place = 0; o < O; o++) {
      const first = Math.floor(o / (O / G)) * CG;
      let work = OH * OW;
      for (let i = 0; i < OH; i++) {
        for (let j = 0; j < OW; j++, place++) {
          if (!dy[place]) continue;
          work += CG * KH * KW;
          for (let c = 0; c < CG; c++) {
            for (let u = 0; u < KH; u++) {
              const r = i * SH + u * DH - PH;
              if (r < 0 || r >= H) continue;
              for (let v = 0; v < KW; v++) {
                const q = j * SW + v * DW - PW;
                if (q < 0 || q >= W) continue;
                dx[((first + c) * H + r) * W + q] += dy[place] * w.data[((o * CG + c) * KH + u) * KW + v];
              }
            }
          }
        }
      }
      yield work;
    }
  },
};
