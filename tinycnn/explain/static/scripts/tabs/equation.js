// equation: how one number of the output is made, written as a sum.

import { div, h, span } from "../base/dom.js";
import { round, sum } from "../base/numbers.js";
import { words } from "../base/words.js";
import { origin, resultLine, term } from "../widgets/labels.js";

/** So many input channels are shown side by side; of more, one at a time. */
export const FEW = 3;

/** Sums per channel, bias and result as one line; the engine's own number beside it, to its last digit. */
export function equation(conv, { o, i, j }) {
  const sums = Array.from({ length: conv.CG }, (_, c) => conv.channelSum(o, c, i, j));
  const decimals = conv.whole ? 0 : 4;
  const line = div(
    "equation",
    sums.length <= FEW
      ? sums.map((v, c) => [
          c > 0 && span("op", "+"),
          term(round(v, decimals), conv.CG > 1 ? words("terms.channel", { c }) : words("terms.products"), "input"),
        ])
      : term(round(sum(sums), decimals), words("terms.channels", { n: sums.length }), "input"),
    span("op", "+"),
    term(round(conv.bias(o), decimals), words("terms.bias"), "kernel"),
    span("op", "="),
    term(round(sum(sums) + conv.bias(o), decimals), words("terms.sum"), "plain"),
    origin("browser"),
  );
  const name = [h("i", {}, "y"), `[${o}, ${i}, ${j}]`];
  return [line, conv.engine && resultLine(name, conv.out.at(o, i, j), "engine")];
}
