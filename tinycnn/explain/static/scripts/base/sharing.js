// sharing: a page for a lecture, or inside another page, and a link to what is seen.

import { state, watchers } from "./state.js";
import { words } from "./words.js";

const PARTS = { questions: ".lead", code: ".code", controls: ".stage-controls" };

/** Follow present, embed and hide in the state; the button that copies a link; the height, for a page around this one. */
export function sharing() {
  watchers.push(() => {
    const root = document.documentElement;
    root.classList.toggle("present", Boolean(state.present));
    root.classList.toggle("embed", Boolean(state.embed));
    const hidden = state.hide.split(",");
    for (const name of Object.keys(PARTS)) root.classList.toggle(`without-${name}`, hidden.includes(name));
  });
  const control = document.getElementById("link");
  control.addEventListener("click", async () => {
    const copied = await copy(location.href);
    control.textContent = words(copied ? "page.link.copied" : "page.link.address");
    setTimeout(() => (control.textContent = words("page.link.copy")), 2000);
  });
  document.addEventListener("keydown", turnPage);
  if (window.parent !== window) new ResizeObserver(tellHeight).observe(document.body);
}

async function copy(text) {
  try {
    await window.navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false; // not allowed here; the address bar has it
  }
}

/** The page around this one may give the frame this height. */
function tellHeight() {
  const height = Math.ceil(document.body.getBoundingClientRect().height);
  window.parent.postMessage({ source: "tinycnn", height }, "*");
}

/** In a lecture, what a presenter's remote control sends: the next step, or the one before. */
function turnPage(event) {
  const name = { PageDown: "Next", PageUp: "Back" }[event.key];
  if (!name || !state.present) return;
  event.preventDefault();
  document.querySelector(`.tour:not([hidden]) [data-turn="${name}"]`)?.click();
}
