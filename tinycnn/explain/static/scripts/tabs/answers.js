// answers: what the questions of the tabs are made of.

/** An answer that is right, and one that is not, with what is wrong about it. */
export const yes = (text, go) => ({ text, right: true, go });
export const no = (text, reply, go) => ({ text, right: false, reply, go });

/** The toy as it is shown first. */
export const TOY = { src: "toy", s: 1, p: 1, d: 1, flip: 0 };
