// lab_check: the first steps of the page's own training against the engine's, for every activation and every start.

import { values } from "../base/data.js";
import { words } from "../base/words.js";
import { LAB, SmallNet } from "./small_net.js";

const TOLERANCE = 1e-9; // both compute in float64

/** For the self-check, in parts: losses, sizes of gradients, and gradients, each step from what the last one made. */
export const checkLab = function* (note, difference) {
  if (!values(LAB.images)) return;
  for (const { activation, start, numbers: id, gradients } of LAB.runs) {
    const row = (what) => words(`check.rows.${what}`, { name: words(`lab.activations.${activation}`) });
    const net = new SmallNet({ activation, start, rate: LAB.rate });
    const numbers = values(id);
    const found = [];
    for (let k = 0; k < numbers.shape[1]; k++) {
      found.push(yield* net.stepWork());
    }
    const far = (at, name) =>
      difference(
        found.map((one) => one[name]),
        numbers.part(at),
      );
    note(row("lab_losses"), far(0, "loss"), TOLERANCE);
    note(row("lab_sizes"), Math.max(far(1, "kernels"), far(2, "dense")), TOLERANCE);
    for (const [name, theirs] of Object.entries(gradients ?? {}))
      note(row("lab_gradients"), difference(net.gradients[name], values(theirs)), TOLERANCE);
  }
};
