// loops: convolution forward and backward for one filter, and the windows of pooling.  The self-check spends its time
// here, so the bounds are worked out before a loop begins.

/** Those k in 0..count-1 for which offset + k * step lies in 0..size-1: [the first, the one after the last]. */
function within(offset, step, count, size) {
  return [Math.max(0, Math.ceil(-offset / step)), Math.min(count, Math.ceil((size - offset) / step))];
}

/** One filter's map: x (C, H, W) met by w (O, C/G, KH, KW) at o, into out (OH, OW), which holds the bias so far. */
export function filterForward(x, w, o, { stride: [SH, SW], padding: [PH, PW], dilation: [DH, DW], groups: G }, out) {
  const [, H, W] = x.shape;
  const [O, CG, KH, KW] = w.shape;
  const [OH, OW] = out.shape;
  const first = Math.floor(o / (O / G)) * CG;
  for (let c = 0, tap = o * CG * KH * KW; c < CG; c++) {
    for (let u = 0; u < KH; u++) {
      const [top, bottom] = within(u * DH - PH, SH, OH, H);
      for (let v = 0; v < KW; v++, tap++) {
        const [left, right] = within(v * DW - PW, SW, OW, W);
        const weight = w.data[tap];
        for (let i = top; i < bottom; i++) {
          const row = ((first + c) * H + i * SH + u * DH - PH) * W + v * DW - PW;
          for (let j = left; j < right; j++) out.data[i * OW + j] += weight * x.data[row + j * SW];
        }
      }
    }
  }
}

/** col2im of w.T @ dy for filter o, whose gradient is dy (OH, OW), added to dx (C, H, W); how many products it took. */
export function filterBackward(dy, w, o, { stride: [SH, SW], padding: [PH, PW], dilation: [DH, DW], groups: G }, dx) {
  const [, H, W] = dx.shape;
  const [O, CG, KH, KW] = w.shape;
  const [OH, OW] = dy.shape;
  const first = Math.floor(o / (O / G)) * CG;
  let work = OH * OW;
  for (let i = 0; i < OH; i++) {
    const [top, bottom] = within(i * SH - PH, DH, KH, H);
    for (let j = 0; j < OW; j++) {
      const d = dy.data[i * OW + j];
      if (!d) continue; // most are 0 where one number's gradient is asked for
      const [left, right] = within(j * SW - PW, DW, KW, W);
      for (let c = 0; c < CG; c++) {
        for (let u = top; u < bottom; u++) {
          const row = ((first + c) * H + i * SH + u * DH - PH) * W + j * SW - PW;
          const tap = ((o * CG + c) * KH + u) * KW;
          for (let v = left; v < right; v++) dx.data[row + v * DW] += d * w.data[tap + v];
        }
      }
      work += CG * KH * KW;
    }
  }
  return work;
}

const known = new WeakMap();

/** The windows of a pooling layer on one channel of H x W pixels: [{pixels, count}], `count` is what a mean divides by. */
export function poolWindows(layer, [H, W]) {
  if (!known.has(layer)) known.set(layer, found(layer, H, W));
  return known.get(layer);
}

function found(layer, H, W) {
  const [, OH, OW] = layer.shape_out;
  const {
    kernel_size: [KH, KW],
    stride: [SH, SW],
    padding: [PH, PW],
    dilation: [DH, DW] = [1, 1],
  } = layer.options;
  const windows = [];
  for (let i = 0; i < OH; i++) {
    for (let j = 0; j < OW; j++) {
      const [top, left] = [i * SH - PH, j * SW - PW];
      const pixels = [];
      for (let u = 0; u < KH; u++) {
        for (let v = 0; v < KW; v++) {
          const [r, q] = [top + u * DH, left + v * DW];
          if (r >= 0 && q >= 0 && r < H && q < W) pixels.push(r * W + q);
        }
      }
      const padded = (Math.min(top + KH, H + PH) - top) * (Math.min(left + KW, W + PW) - left);
      windows.push({ pixels, count: layer.options.count_include_pad ? padded : pixels.length });
    }
  }
  return windows;
}
