// answers: what the questions of the tabs are made of.

import { entry, filled } from "../base/words.js";

/**
 * A question of the table, {ask, answers: [{text, reply}], because}, with its parts.  The right answer is the one that
 * has no reply, or else number `right`, which may be several; answers number `without` are left out.  `go` is the view
 * that shows it, or a list of views, one for each answer.
 */
export function question(key, { go, right, without = [], ...parts } = {}) {
  const { ask, answers, because } = entry(key);
  const one = ({ text, reply }, k) => {
    const is = right === undefined ? !reply : [right].flat().includes(k);
    return {
      text: filled(text, parts),
      right: is,
      reply: is ? "" : filled(reply, parts),
      go: Array.isArray(go) ? go[k] : go,
    };
  };
  return {
    ask: filled(ask, parts),
    answers: answers.map(one).filter((_, k) => !without.includes(k)),
    because: filled(because, parts),
  };
}

/** The toy as it is shown first. */
export const TOY = { src: "toy", s: 1, p: 1, d: 1, flip: 0 };
