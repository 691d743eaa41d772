// answers: what the questions of the tabs are made of.

import { entry, filled } from "../base/words.js";

/** An answer that is right, and one that is not, with what is wrong about it. */
export const yes = (text, go) => ({ text, right: true, go });
export const no = (text, reply, go) => ({ text, right: false, reply, go });

/**
 * A question of the table, {ask, answers: [{text, reply}], because}, with its parts.  The right answer is the one that
 * has no reply, or else number `right`; `go` is the view that shows it.
 */
export function question(key, { go, right, ...parts } = {}) {
  const { ask, answers, because } = entry(key);
  const one = ({ text, reply }, k) => {
    const is = right === undefined ? !reply : k === right;
    return { text: filled(text, parts), right: is, reply: is ? "" : filled(reply, parts), go };
  };
  return { ask: filled(ask, parts), answers: answers.map(one), because: filled(because, parts) };
}

/** The toy as it is shown first. */
export const TOY = { src: "toy", s: 1, p: 1, d: 1, flip: 0 };
