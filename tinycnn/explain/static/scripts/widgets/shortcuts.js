// shortcuts: letters that do what a button does, while nothing is typed into and no dialog is open.

import { button } from "./controls.js";

const actions = new Map();

/** A button that its letter presses, too. */
export function lettered(letter, text, act, attributes = {}) {
  actions.set(letter, act);
  return button(text, act, { "aria-keyshortcuts": letter, ...attributes });
}

document.addEventListener("keydown", (event) => {
  const act = actions.get(event.key.toUpperCase());
  const busy = event.ctrlKey || event.altKey || event.metaKey || event.repeat;
  if (!act || busy || event.target.closest("input:not([type=range], [type=checkbox]), select, dialog")) return;
  event.preventDefault();
  act();
});
