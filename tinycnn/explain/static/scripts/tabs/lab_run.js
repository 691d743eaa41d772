// lab_run: one training of the small net, with all that is drawn of it.

import { sum } from "../base/numbers.js";
import { EPOCH, SmallNet } from "../model/small_net.js";
import { finished } from "../model/work.js";

const EVERY = 20; // steps between looks at the images that were held out

export class LabRun {
  constructor(settings) {
    this.settings = settings;
    this.net = new SmallNet({ ...settings, rate: Number(settings.rate) });
    this.curves = { loss: [], right: [], kernels: [], dense: [], held_loss: [], held_right: [] };
    this.recent = [];
    this.over = false; // whether the loss has left the numbers
    this.steps = 0;
    this.underway = null;
    finished(this.measure());
  }

  /** Go on with the step that is under way, or the next one, until it is done or the time is `end`. */
  advance(end = Infinity) {
    this.underway ??= this.step();
    while (!this.underway.next().done) if (performance.now() > end) return;
    this.underway = null;
    this.steps = this.net.steps;
  }

  /** A step that was begun is done. */
  settle() {
    if (this.underway) this.advance();
  }

  /** One step.  What is kept of it are means over an epoch, as single batches are few images and jump. */
  *step() {
    const found = yield* this.net.stepWork();
    this.over = !Number.isFinite(found.loss);
    this.recent.push(found);
    if (this.recent.length > EPOCH) this.recent.shift();
    if (this.over) return;
    for (const name of ["loss", "right", "kernels", "dense"])
      this.curves[name].push([this.net.steps, sum(this.recent.map((one) => one[name])) / this.recent.length]);
    if (this.net.steps % EVERY === 0) yield* this.measure();
  }

  *measure() {
    const { loss, right, said } = yield* this.net.heldOutWork();
    if (!Number.isFinite(loss)) return;
    this.said = said;
    this.curves.held_loss.push([this.net.steps, loss]);
    this.curves.held_right.push([this.net.steps, right]);
  }

  /** The last number of a curve up to a step, or undefined. */
  at(name, step = this.steps) {
    return this.curves[name].findLast(([x]) => x <= step)?.[1];
  }
}
