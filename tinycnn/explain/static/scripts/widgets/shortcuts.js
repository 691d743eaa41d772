// shortcuts: letters that do what a button does, while nothing is typed into, no dialog is open, and they are wished for.

import { set, state, watchers } from "../base/state.js";
import { words } from "../base/words.js";
import { button, checkbox } from "./controls.js";

const letters = new Map();

/** A button that its letter presses, too, and that says so while letters do. */
export function lettered(letter, text, act, attributes = {}) {
  const control = button(text, act, attributes);
  letters.set(letter, { act, control });
  return control;
}

/** The switch for all of them: whoever speaks to a computer, or strays on its keys, does without. */
export function lettersSwitch() {
  const names = [...letters.keys()].sort().join(", ");
  const root = checkbox(words("shortcuts.name", { names }), (on) => set({ keys: Number(on) }));
  let last = null;
  watchers.push(() => {
    if (last === state.keys) return;
    last = state.keys;
    root.show(last);
    for (const [letter, { control }] of letters) {
      if (last) control.setAttribute("aria-keyshortcuts", letter);
      else control.removeAttribute("aria-keyshortcuts");
      control.title = last ? words("shortcuts.key", { key: letter }) : "";
    }
  });
  return root;
}

document.addEventListener("keydown", (event) => {
  const found = state.keys && letters.get(event.key.toUpperCase());
  const busy = event.ctrlKey || event.altKey || event.metaKey || event.repeat;
  if (!found || found.control.hidden || busy) return;
  if (event.target.closest("input:not([type=range], [type=checkbox]), select, dialog")) return;
  event.preventDefault();
  found.act();
});
