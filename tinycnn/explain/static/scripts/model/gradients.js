// gradients: a convolution's backward as the tabs tell it: the columns times dy, and col2im of w.T @ dy.

import { Values } from "../base/data.js";
import { finished } from "./work.js";

/** dw[o, c, u, v] = sum over l of dy[o, l] * cols[k, l], where k is the row of (c, u, v). */
export function weightGradient(conv) {
  return finished(weightGradientWork(conv));
}

export function* weightGradientWork(conv) {
  const { O, K, L, G, CG, KH, KW } = conv;
  const dw = new Float64Array(O * K);
  for (let g = 0; g < G; g++) {
    for (let k = 0; k < K; k++) {
      const [c, u, v] = conv.tap(k);
      const row = Float64Array.from({ length: L }, (_, l) => conv.column(g, k, l));
      for (let o = (g * O) / G; o < ((g + 1) * O) / G; o++) {
        const dy = conv.grad_out.data.subarray(o * L, (o + 1) * L);
        dw[((o * CG + c) * KH + u) * KW + v] = row.reduce((sum, entry, l) => sum + dy[l] * entry, 0);
      }
      yield (L * O) / G;
    }
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
