// gradients: a convolution's backward as the tabs tell it: the columns times dy, and col2im of w.T @ dy.

import { Values } from "../base/data.js";
import { finished } from "./work.js";

/** dw[o, c, u, v] = sum over l of dy[o, l] * cols[k, l], where k is the row of (c, u, v). */
export function weightGradient(conv) {
  return finished(weightGradientWork(conv));
}

export function* weightGradientWork(conv) {
  const { O, K, L, G } = conv;
  const dw = new Float64Array(O * K);
  for (let o = 0; o < O; o++) {
    for (let k = 0; k < K; k++) {
      let sum = 0;
      for (let l = 0; l < L; l++) sum += conv.grad_out.data[o * L + l] * conv.column(Math.floor(o / (O / G)), k, l);
      const [c, u, v] = conv.tap(k);
      dw[((o * conv.CG + c) * conv.KH + u) * conv.KW + v] = sum;
    }
    yield K * L;
  }
  return dw;
}

/** col2im of the columns' gradient: added back where they came from, (C, H, W). */
export function scatter(conv) {
  return finished(scatterWork(conv));
}

export function* scatterWork(conv) {
  const dx = new Values(new Float64Array(conv.x.data.length), conv.x.shape);
  for (let g = 0; g < conv.G; g++) {
    for (let k = 0; k < conv.K; k++) {
      const [c, u, v] = conv.tap(k);
      for (let l = 0; l < conv.L; l++) {
        const [i, j] = conv.position(l);
        const [r, q] = [i * conv.SH + u * conv.DH, j * conv.SW + v * conv.DW];
        if (conv.inFrame(r, q)) continue;
        dx.data[((g * conv.CG + c) * conv.H + r - conv.PH) * conv.W + q - conv.PW] += conv.gradColumn(g, k, l);
      }
      yield conv.L;
    }
  }
  return dx;
}
