// conv: one convolution as the tabs show it: its arrays, and which number meets which.

import { round } from "../base/numbers.js";

/**
 * x (C, H, W), w (O, C/G, KH, KW), b (O) or null, out (O, OH, OW), cols (G, OH, KH*C/G*KW, OW), and the gradients
 * grad_x, grad_w, grad_b, grad_out, grad_cols of the same shapes; some may be null where the page left them out.
 * `engine` tells whether these are the engine's arrays or the browser's, after an edit.
 */
export class Conv {
  constructor(name, options, arrays, engine = true) {
    Object.assign(this, { name, engine, options, cols: null, partials: null, ...arrays });
    [this.SH, this.SW] = options.stride;
    [this.PH, this.PW] = options.padding;
    [this.DH, this.DW] = options.dilation;
    this.G = options.groups;
    [this.C, this.H, this.W] = this.x.shape;
    [this.O, this.CG, this.KH, this.KW] = this.w.shape;
    [, this.OH, this.OW] = this.out.shape;
    this.K = this.CG * this.KH * this.KW;
    this.L = this.OH * this.OW;
    [this.FH, this.FW] = [this.H + 2 * this.PH, this.W + 2 * this.PW]; // with the frame of padding
  }

  /** The channels that filter o sees. */
  channels(o) {
    const first = Math.floor(o / (this.O / this.G)) * this.CG;
    return Array.from({ length: this.CG }, (_, c) => first + c);
  }

  /** A pixel of the framed input: 0 in the frame. */
  pixel(c, r, q) {
    const [row, column] = [r - this.PH, q - this.PW];
    return this.inFrame(r, q) ? 0 : this.x.at(c, row, column);
  }

  inFrame(r, q) {
    return r < this.PH || q < this.PW || r >= this.PH + this.H || q >= this.PW + this.W;
  }

  /** The places of the framed input under the window of output (i, j): [[u, v, row, column]]. */
  window(i, j) {
    const places = [];
    for (let u = 0; u < this.KH; u++) {
      for (let v = 0; v < this.KW; v++) places.push([u, v, i * this.SH + u * this.DH, j * this.SW + v * this.DW]);
    }
    return places;
  }

  /** The boxes of all places of the framed input that weight (u, v) meets. */
  seenBy(u, v) {
    if (this.SH === 1 && this.SW === 1) return [[u * this.DH, v * this.DW, this.OH, this.OW]];
    const box = ([i, j]) => [i * this.SH + u * this.DH, j * this.SW + v * this.DW, 1, 1];
    return Array.from({ length: this.L }, (_, l) => box(this.position(l)));
  }

  /** The box around that window: [row, column, height, width]. */
  box(i, j) {
    return [i * this.SH, j * this.SW, this.DH * (this.KH - 1) + 1, this.DW * (this.KW - 1) + 1];
  }

  /** The outputs that a place of the framed input takes part in, and under which tap: [[i, j, u, v]]. */
  outputsOf(r, q) {
    const found = [];
    for (let u = 0; u < this.KH; u++) {
      for (let v = 0; v < this.KW; v++) {
        const [i, j] = [(r - u * this.DH) / this.SH, (q - v * this.DW) / this.SW];
        if (Number.isInteger(i) && Number.isInteger(j) && i >= 0 && j >= 0 && i < this.OH && j < this.OW) {
          found.push([i, j, u, v]);
        }
      }
    }
    return found;
  }

  /** The product of one tap, and the sum of one channel's taps, at output (i, j) of filter o. */
  product(o, c, i, j, u, v) {
    return (
      this.pixel(this.channels(o)[c], i * this.SH + u * this.DH, j * this.SW + v * this.DW) * this.w.at(o, c, u, v)
    );
  }

  channelSum(o, c, i, j) {
    return this.window(i, j).reduce((sum, [u, v]) => sum + this.product(o, c, i, j, u, v), 0);
  }

  bias(o) {
    return this.b ? this.b.at(o) : 0;
  }

  /** An entry of the columns: row k of group g, column l; read off the image where the page has no columns. */
  column(g, k, l) {
    const [i, j] = this.position(l);
    if (this.cols) return this.cols.at(g, i, k, j);
    const [c, u, v] = this.tap(k);
    return this.pixel(g * this.CG + c, i * this.SH + u * this.DH, j * this.SW + v * this.DW);
  }

  /** The same of the columns' gradient: w.T @ dy, worked out here where the page has it not. */
  gradColumn(g, k, l) {
    const [i, j] = this.position(l);
    if (this.grad_cols) return this.grad_cols.at(g, i, k, j);
    const [w, dy, each] = [this.w.data, this.grad_out.data, this.O / this.G];
    const tap = this.textbookRow(...this.tap(k));
    let sum = 0;
    for (let o = g * each; o < (g + 1) * each; o++) sum += w[o * this.K + tap] * dy[o * this.L + l];
    return sum;
  }

  /** Rows of the columns are ordered (u, c, v): tap row, channel, tap column. */
  tap(k) {
    return [Math.floor(k / this.KW) % this.CG, Math.floor(k / (this.KW * this.CG)), k % this.KW];
  }

  row(c, u, v) {
    return (u * this.CG + c) * this.KW + v;
  }

  /** The same in the order of textbooks, (c, u, v): the weight of row k, and its row. */
  textbookTap(k) {
    return [Math.floor(k / (this.KH * this.KW)), Math.floor(k / this.KW) % this.KH, k % this.KW];
  }

  textbookRow(c, u, v) {
    return (c * this.KH + u) * this.KW + v;
  }

  /** How many numbers the engine stores for the columns: shifts along the width only, the rest is overlap. */
  get stored() {
    return this.C * this.FH * this.KW * this.OW;
  }

  position(l) {
    return [Math.floor(l / this.OW), l % this.OW];
  }

  get whole() {
    return [this.x, this.w, this.out].every((array) => array.data.every(Number.isInteger));
  }
}

/** What is written in cells: whole numbers as they are, others as .25. */
export function textFor(conv) {
  return conv.whole ? (v) => round(v, 0) : (v) => round(v, 2).replace(/^(−?)0\./, "$1.");
}

/** The size of a convolution's output along one axis; 0 where no window fits. */
export function outputSize(n, k, s, p, d) {
  return Math.max(rawSize(n, k, s, p, d), 0);
}

/** The same as the formula has it, which is below 1 where no window fits. */
export function rawSize(n, k, s, p, d) {
  return Math.floor((n + 2 * p - d * (k - 1) - 1) / s) + 1;
}
