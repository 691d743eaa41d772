// stage: what a tab shows, so that the figure and what moves it are on one screen.

import { div, h, replace } from "../base/dom.js";
import { clamp } from "../base/numbers.js";
import { set, state } from "../base/state.js";
import { words } from "../base/words.js";
import { choice } from "./controls.js";

/** Controls above the figure, the bar below it, which stays in sight, and what can be read afterwards. */
export function layout(stage, { controls, figure, bar, rest }) {
  replace(
    stage,
    controls && div("stage-controls", controls),
    div("stage-figure", figure),
    bar && div("dock", bar),
    rest && div("rest", rest),
  );
}

/**
 * A tab of several steps, of which one is seen: [{name, controls, figure, bar, rest, update}], chosen by the state's
 * `key`, which counts from 1.  Returns the tab's update.
 */
export function steps(stage, key, sections, say) {
  const rooms = sections.map((section) => {
    const root = h("div", { class: "step", hidden: true });
    layout(root, { ...section, bar: [section.bar, section.says && div("say-place")] });
    return root;
  });
  const pick = choice(
    words("part"),
    sections.map(({ name }, k) => [k + 1, `${k + 1} ${name}`]),
    (value) => set({ [key]: value }),
  );
  pick.classList.add("steps");
  stage.append(pick, ...rooms);
  return () => {
    const at = clamp(state[key], 1, sections.length) - 1;
    pick.show(at + 1);
    rooms.forEach((room, k) => {
      room.hidden = k !== at;
    });
    rooms[at].querySelector(".say-place")?.append(say);
    sections[at].update?.();
  };
}

/** The heading of a step and the paragraph that says what it shows. */
export function intro(title, ...text) {
  return div("intro", h("h3", {}, title), h("p", { class: "prose" }, text));
}
