// tab "Train here": a small net that learns while one looks on.  All of it is the browser's arithmetic.

import { values } from "../base/data.js";
import { calm, div, h } from "../base/dom.js";
import { brief, clamp } from "../base/numbers.js";
import { set, state } from "../base/state.js";
import { words } from "../base/words.js";
import { LAB } from "../model/small_net.js";
import { button } from "../widgets/controls.js";
import { layout } from "../widgets/stage.js";
import { question } from "./answers.js";
import { labFigure } from "./lab_figure.js";
import { LabRun } from "./lab_run.js";

const LAST = 1000; // step, after which a training rests
const [SLICE, PACE, PAUSE] = [12, 4, 16]; // milliseconds and steps at a time, milliseconds between: time for the reader
const CALM_PAUSE = 400; // milliseconds between drawings, for those who want little motion
const CHOICES = {
  rate: ["0.01", "0.03", "0.1", "0.3", "1"],
  act: ["sigmoid", "relu", "tanh"],
  init: ["xavier", "kaiming", "small", "large", "zeros"],
};
const EXPERIMENTS = {
  plateau: { act: "sigmoid", init: "small", rate: "0.1", ran: 400 },
  relu: { act: "relu", init: "small", rate: "0.1", ran: 400 },
};

export const labTab = {
  id: "lab",
  lesson: "08_lenet",
  questions: () => [
    question("lab.questions.plateau", { go: EXPERIMENTS.relu }),
    question("lab.questions.zeros", { go: { act: "sigmoid", init: "zeros", rate: "0.3", ran: 400 } }),
    question("lab.questions.large", { go: { act: "relu", init: "large", rate: "0.1", ran: 400 } }),
  ],

  build(stage, say) {
    if (!values(LAB.images)) {
      stage.append(div("empty", h("p", {}, words("lab.left_out"))));
      return () => {};
    }
    const [figure, controls] = [labFigure(), settingControls()];
    const bench = benchOf(figure, say);
    const rest = h("p", { class: "note" }, words("lab.note", { images: LAB.train, held: heldOut(), batch: LAB.batch }));
    layout(stage, { controls: controls.root, figure, bar: [bench.root, say], rest });
    return () => {
      controls.show();
      bench.follow();
    };
  },
};

function heldOut() {
  return values(LAB.labels).data.length - LAB.train;
}

/** What the state asks for; the usual where it makes no sense. */
export function settings() {
  const pick = (name) => (CHOICES[name].includes(state[name]) ? state[name] : EXPERIMENTS.plateau[name]);
  return { rate: pick("rate"), activation: pick("act"), start: pick("init") };
}

/** The experiments, and the settings one by one; another setting begins anew. */
function settingControls() {
  const experiments = Object.entries(EXPERIMENTS).map(([name, changes]) =>
    button(words(`lab.experiments.${name}`), () => set(changes), { data: { experiment: name } }),
  );
  const text = { rate: (v) => v, act: (v) => words(`lab.activations.${v}`), init: (v) => words(`lab.starts.${v}`) };
  const pickers = Object.entries(CHOICES).map(([name, options]) => {
    const all = options.map((value) => h("option", { value }, text[name](value)));
    const pick = h("select", { onchange: () => set({ [name]: pick.value, ran: 0 }), data: { setting: name } }, all);
    return { pick, root: h("label", { class: "control" }, h("span", { class: "name" }, words(`lab.${name}`)), pick) };
  });
  const group = { class: "experiments", role: "group", "aria-label": words("lab.experiments.name") };
  const root = div(
    "controls",
    h("div", group, experiments),
    pickers.map((one) => one.root),
  );
  const show = () => {
    const { rate, activation, start } = settings();
    [rate, activation, start].forEach((value, k) => (pickers[k].pick.value = value));
  };
  return { root, show };
}

/** The buttons, and what they move. */
function benchOf(figure, say) {
  const bench = new Bench(() => show());
  const play = button("", () => (bench.timer ? bench.rest() : bench.go()), { class: "play" });
  const step = button(`→ ${words("walk.step")}`, () => set({ ran: Math.min(bench.run.steps + 1, LAST) }));
  const reset = button(`↺ ${words("lab.reset")}`, () => bench.reset(), { class: "quiet" });
  const group = { class: "player", role: "group", "aria-label": words("lab.bench") };
  const root = h("div", group, play, step, reset);
  const show = () => {
    figure.show(bench.run, bench.before);
    root.dataset.steps = bench.run.steps;
    const [mark, name] = bench.timer ? ["❚❚", words("walk.pause")] : ["▶", words("walk.play")];
    play.textContent = `${mark} ${name}`;
    say.say(bench.timer || bench.run.steps === 0 ? lookAt(bench.run) : summary(bench));
  };
  bench.isSeen = () => root.offsetParent !== null;
  return { root, follow: () => bench.follow() };
}

/** A training on its way to step `goal`, a few steps at a time; show() draws it. */
class Bench {
  constructor(show) {
    Object.assign(this, { show, run: null, before: null, goal: 0, followed: null, timer: null, drawn: 0 });
  }

  get arrived() {
    return !this.run.underway && (this.run.steps >= this.goal || this.run.over);
  }

  /** Begin anew with the state's settings; what was learnt before stays for comparison. */
  begin() {
    clearTimeout(this.timer);
    this.run?.settle();
    if (this.run?.steps > 1) this.before = this.run;
    Object.assign(this, { run: new LabRun(settings()), goal: 0, timer: null });
  }

  /** Take over what has changed in the state: settings, or how many steps were run. */
  follow() {
    const ran = clamp(state.ran, 0, LAST);
    const same = this.run && Object.entries(settings()).every(([name, value]) => this.run.settings[name] === value);
    if (!same || ran !== this.followed) {
      if (!same || ran < this.run.steps) this.begin();
      this.run.settle();
      this.goal = this.followed = ran;
      if (ran === this.run.steps + 1) this.run.advance();
    }
    this.work();
  }

  go() {
    if (this.run.steps >= LAST || this.run.over) this.begin();
    this.goal = LAST;
    this.work();
  }

  reset() {
    this.begin();
    this.followed = 0;
    set({ ran: 0 });
  }

  rest() {
    clearTimeout(this.timer);
    this.timer = null;
    this.run.settle();
    this.goal = this.followed = this.run.steps;
    set({ ran: this.run.steps });
  }

  /** Draw, and go on in a moment, if there is more to do. */
  work() {
    if (!this.timer && !this.arrived) this.timer = setTimeout(() => this.slice(), PAUSE);
    this.drawn = performance.now();
    this.show();
  }

  /** A few steps, then time for the reader; rests where the tab is no longer seen. */
  slice() {
    this.timer = null;
    if (!this.isSeen()) return this.rest();
    const end = performance.now() + SLICE;
    for (let k = 0; k < PACE && !this.arrived && performance.now() < end; k++) this.run.advance(end);
    if (this.arrived) return this.rest();
    if (!calm.matches || performance.now() > this.drawn + CALM_PAUSE) return this.work();
    this.timer = setTimeout(() => this.slice(), PAUSE);
    return null;
  }
}

/** What to look at while it learns. */
function lookAt({ settings: { activation, start } }) {
  const special = ["small", "large", "zeros"].includes(start);
  return words(`lab.look.${special ? start : activation}`);
}

/** Where it has come to, and where the one before was after as many steps. */
function summary({ run, before }) {
  if (run.over) return words("lab.over", { n: run.steps });
  const loss = run.at("loss");
  const parts = { n: run.steps, loss: loss.toFixed(3), share: (100 * run.at("held_right")).toFixed(0) };
  const found = words("lab.after", { ...parts, kernels: brief(run.at("kernels")), dense: brief(run.at("dense")) });
  const then = before?.steps >= run.steps ? before.at("loss", run.steps) : undefined;
  if (then === undefined) return found;
  const { activation, start, rate } = before.settings;
  const what = { activation: words(`lab.activations.${activation}`), start: words(`lab.starts.${start}`), rate };
  return `${found} ${words("lab.then", { ...what, loss: then.toFixed(3) })}`;
}
