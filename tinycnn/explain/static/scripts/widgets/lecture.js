// lecture: the page large, on the whole screen, by a button or the key F, and back by Escape.

import { set, state } from "../base/state.js";
import { words } from "../base/words.js";
import { lettered } from "./shortcuts.js";

/** The button; a page that a link has made large stays so when the screen is given back. */
export function lectureButton() {
  let before = 0; // whether the page was large already
  const leave = () => {
    set({ present: before });
    if (document.fullscreenElement) document.exitFullscreen();
  };
  const enter = async () => {
    before = state.present;
    set({ present: 1 });
    try {
      await document.documentElement.requestFullscreen({ navigationUI: "hide" });
    } catch {
      // not allowed here, as inside another page: it is large, and no more
    }
  };
  const control = lettered("F", words("lecture.name"), () => (document.fullscreenElement ? leave() : enter()), {
    class: "quiet",
  });
  document.addEventListener("fullscreenchange", () => document.fullscreenElement || set({ present: before }));
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && state.present && !document.querySelector("dialog[open]")) leave();
  });
  return control;
}
