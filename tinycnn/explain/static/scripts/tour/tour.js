// tour: the card that leads through the tabs, one step at a time, and the screen that a reader starts with.

import { div, h, replace, span } from "../base/dom.js";
import { clamp } from "../base/numbers.js";
import { notify, set, state } from "../base/state.js";
import { words } from "../base/words.js";
import { button } from "../widgets/controls.js";
import { tourSteps } from "./steps.js";

let list = null;
const solved = new Map(); // step -> the answer given, or true
let furthest = 0;

/** The steps of this page, made when they are first needed. */
function all() {
  list ??= tourSteps();
  return list;
}

/** The state that a step, counted from 1, begins with. */
export function beginning(number) {
  const tour = clamp(number, 1, all().length);
  const step = all()[tour - 1];
  return { ...step.state, tab: step.tab, tour };
}

const enter = (number) => set(beginning(number));

/** The card for the state's step; show() puts it into the tab that is open, and lights what it speaks of. */
export function tourCard() {
  const root = h("section", { class: "tour", "aria-label": words("tour.name") });
  const parts = { count: h("p", { class: "tour-count" }), title: h("h2", {}), text: h("p", {}), task: div("task") };
  const told = h("p", { class: "because", role: "status" });
  const back = button(words("tour.back"), () => enter(state.tour - 1), { class: "quiet", data: { turn: "Back" } });
  const next = button(
    words("tour.next"),
    () => (state.tour < all().length ? enter(state.tour + 1) : set({ tour: 0 })),
    { data: { turn: "Next" } },
  );
  const leave = button(words("tour.leave"), () => set({ tour: 0 }), { class: "quiet leave" });
  root.append(
    div("tour-body", parts.count, parts.title, parts.text, parts.task, told),
    div("tour-steps", back, next, leave),
  );
  let shown = null;
  root.show = (tab) => {
    for (const lit of document.querySelectorAll(".lit-by-tour")) lit.classList.remove("lit-by-tour");
    const step = all()[state.tour - 1];
    root.hidden = !step || !(step.tabs ?? [step.tab]).includes(state.tab);
    if (root.hidden) return;
    furthest = Math.max(furthest, state.tour);
    if (root.parentElement !== tab.root) tab.root.prepend(root);
    if (!step.ask && !solved.has(step) && step.done(state)) solved.set(step, true);
    if (shown !== step) fillStep(parts, step);
    shown = step;
    told.textContent = solved.has(step) ? step.because : "";
    root.classList.toggle("solved", solved.has(step));
    back.disabled = state.tour === 1;
    next.textContent = words(state.tour < all().length ? "tour.next" : "tour.end");
    next.classList.toggle("ready", solved.has(step));
    const seen = [...tab.root.querySelectorAll(step.light)].find((element) => element.checkVisibility());
    seen?.classList.add("lit-by-tour");
  };
  return root;
}

function fillStep({ count, title, text, task }, step) {
  count.textContent = words("tour.count", { at: state.tour, all: all().length });
  title.textContent = step.title;
  text.textContent = step.text;
  replace(task, step.ask ? questionOf(step) : h("p", {}, `▸ ${step.task}`));
}

function questionOf(step) {
  const reply = h("p", { class: "reply", role: "status" });
  const buttons = step.answers.map((answer) =>
    button(
      answer.text,
      () => {
        reply.textContent = answer.right ? "" : words("tour.wrong", { reply: answer.reply });
        if (answer.right) solved.set(step, true);
        notify();
      },
      { class: "answer" },
    ),
  );
  return [h("p", {}, step.ask), div("predict", buttons), reply];
}

/** What a reader sees first: where to begin. */
export function startScreen(tabs) {
  const begin = button(words("tour.start.take"), () => enter(Math.max(furthest, 1)), { class: "primary" });
  const look = button(words("tour.start.look"), () => set({ tab: "slide" }));
  const what = h("p", { class: "start-text" });
  const cards = tabs.map((tab, k) =>
    h(
      "li",
      {},
      button(
        [
          span("tab-number", String(k + 1)),
          h("b", {}, words(`tabs.${tab.id}.name`)),
          span("", words(`tabs.${tab.id}.about`)),
        ],
        () => set({ tab: tab.id }),
      ),
    ),
  );
  const root = h(
    "section",
    { class: "start", "aria-label": words("tour.start.name") },
    h("h2", {}, words("tour.start.title")),
    what,
    div("start-buttons", begin, look),
    h("ol", { class: "start-tabs" }, cards),
  );
  root.show = () => {
    begin.textContent = words(furthest > 1 ? "tour.start.go_on" : "tour.start.take", { at: furthest });
    what.textContent = words("tour.start.text", { all: all().length });
  };
  return root;
}
