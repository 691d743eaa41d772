// size_quiz: random cases of the formula, to be answered before the figure shows them.

import { div, h, span } from "../base/dom.js";
import { set, state } from "../base/state.js";
import { words } from "../base/words.js";
import { outputSize } from "../model/conv.js";
import { button, checkbox } from "../widgets/controls.js";

const CASES = { n: [4, 14], k: [2, 5], ss: [1, 3], sp: [0, 2], sd: [1, 2] };

/** The switch, the field for an answer, the verdict; hides(sizes) tells whether what is asked must not be seen. */
export function sizeQuiz(redraw) {
  let [guess, about, score, asked] = [null, "", 0, 0];
  const field = numberField(() => {
    if (guess !== null || field.value === "") return;
    guess = Number(field.value);
    about = JSON.stringify(caseOf(state));
    asked += 1;
    if (guess === sizeOf(state)) score += 1;
    redraw();
  });
  const ask = () => {
    guess = null;
    field.value = "";
    set(on.input.checked ? randomCase() : {});
    if (on.input.checked) field.focus();
  };
  const on = checkbox(words("size.quiz.on"), ask);
  const next = button(words("size.quiz.another"), ask, { class: "quiet" });
  const verdict = h("span", { class: "verdict", role: "status" });
  const name = h("label", { class: "control" }, span("name", words("size.quiz.guess")), field);
  const hides = ({ size }) => {
    const running = on.input.checked;
    if (about !== JSON.stringify(caseOf(state))) guess = null; // a slider has moved: another question
    name.hidden = verdict.hidden = !running;
    next.hidden = !running || guess === null;
    field.readOnly = guess !== null;
    const told = words(guess === size ? "size.quiz.right" : "size.quiz.wrong", { size });
    verdict.textContent = guess === null ? "" : words("size.quiz.score", { told, score, asked });
    verdict.className = `verdict ${guess === size ? "right" : "wrong"}`;
    return running && guess === null;
  };
  return { root: div("guess", name, verdict, next, on), hides };
}

function numberField(onchange) {
  const name = words("size.quiz.field");
  const limits = { min: 0, max: 99, inputmode: "numeric", placeholder: "?" };
  return h("input", { type: "number", ...limits, "aria-label": name, onchange });
}

function caseOf(of) {
  return Object.keys(CASES).map((name) => of[name]);
}

function sizeOf({ n, k, ss, sp, sd }) {
  return outputSize(n, k, ss, sp, sd);
}

/** Sizes with which at least one window fits. */
function randomCase() {
  const draw = ([least, most]) => least + Math.floor(Math.random() * (most - least + 1));
  for (;;) {
    const found = Object.fromEntries(Object.entries(CASES).map(([name, range]) => [name, draw(range)]));
    if (sizeOf(found) > 0) return found;
  }
}
