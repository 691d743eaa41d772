// walk: the buttons that step and play, and the sentence that says what is seen.

import { calm, h } from "../base/dom.js";
import { words } from "../base/words.js";
import { button } from "./controls.js";

/** The sentence under a stage; screen readers hear it when it changes. */
export function caption() {
  const root = h("p", { class: "say", role: "status", "aria-live": "polite" });
  let last = "";
  root.say = (text) => {
    if (text === last) return;
    last = text;
    root.textContent = text;
  };
  return root;
}

const [PACE, CALM_PACE] = [520, 900]; // milliseconds per step

/** Step and play buttons; `step(1)` moves on and says whether there is more. */
export function player(step, restart) {
  let timer = null;
  const stop = () => {
    clearInterval(timer);
    timer = null;
    say("▶", "walk.play");
  };
  const start = () => {
    if (!step(1)) restart();
    say("❚❚", "walk.pause");
    const tick = () => (root.offsetParent === null || !step(1)) && stop();
    timer = setInterval(tick, calm.matches ? CALM_PACE : PACE);
  };
  const play = button("", () => (timer ? stop() : start()), { class: "play" });
  const say = (mark, key) => {
    play.textContent = `${mark} ${words(key)}`;
    play.setAttribute("aria-label", words(key));
  };
  say("▶", "walk.play");
  const single = (text, name, by) => {
    const once = () => {
      stop();
      step(by);
    };
    return button(text, once, { "aria-label": name });
  };
  const group = { class: "player", role: "group", "aria-label": words("walk.name") };
  const root = h("div", group, single("←", words("walk.back"), -1), play, single("→", words("walk.step"), 1));
  root.stop = stop;
  return root;
}
