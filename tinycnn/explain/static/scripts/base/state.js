// state: what is looked at, kept in the address after #, so that every view has a link.

import { askedLanguage, language, WRITTEN } from "./words.js";

const PAGE = {
  tab: "start", // or slide, im2col, ...
  tour: 0, // which step of the tour; 0 without
  lang: WRITTEN, // the language of its words
  theme: "", // light, dark, or as the system has it
  present: 0, // large, for a lecture
  keys: 1, // whether letters press buttons
  sheet: 0, // the tab's worksheet
  embed: 0, // the figure alone, for a page around this one
  hide: "", // what else is left out: "questions,code"
  guess: "", // an answer that a link brings along: its place, or "x" to show the right one
};

const CONVOLUTION = {
  src: "toy", // which convolution: the toy, or the label of a layer
  img: 0, // which of the traced images
  o: 0, // which filter
  i: 2, // which output: its row,
  j: 2, // and its column
  c: 0, // which input channel, where there is room for one
  s: 1, // the toy's stride,
  p: 1, // padding,
  d: 1, // and dilation
  flip: 0, // whether its kernels are turned by 180 degrees
  edits: "", // the numbers that were changed in it: "x.0.2.3=7,w.1.0.1.1=-2"
};

const IM2COL = {
  fill: 0, // whether the columns are filled one by one
  tap: -1, // the row that is looked at
  stored: 0, // whether rows stand as the engine stores them
};

const SIZE = {
  n: 7, // pixels
  k: 3, // kernel
  ss: 2, // stride
  sp: 0, // padding
  sd: 1, // dilation
};

const NETWORK = {
  unit: "", // the chosen number: "conv2:3.0.1"
  scope: "layer", // one scale of colours per layer, or per map
};

const BACKWARD = {
  part: 1, // which of its steps
};

const TRAINING = {
  view: 1, // curves, kernels, confusions, mistakes
  step: -1, // which snapshot of the kernels; -1 is the last
  cell: "", // which cell of the confusion matrix: "3.5"
};

const EDIT = {
  pic: 0, // which picture
  moves: "", // what was done to it: "x1,y-2,r15"
};

const LAB = {
  act: "sigmoid", // activation,
  init: "small", // first weights,
  rate: "0.1", // and learning rate of the training in the page
  ran: 0, // how many steps of it were run
};

export const DEFAULTS = {
  ...PAGE,
  ...CONVOLUTION,
  ...IM2COL,
  ...SIZE,
  ...NETWORK,
  ...BACKWARD,
  ...TRAINING,
  ...LAB,
  ...EDIT,
};

export const state = { ...DEFAULTS };

export const watchers = [];

function readHash() {
  const given = new URLSearchParams(location.hash.slice(1));
  for (const [name, usual] of Object.entries(DEFAULTS)) {
    const text = given.get(name);
    const number = Number(text);
    if (text === null) state[name] = usual;
    else if (typeof usual === "number") state[name] = Number.isInteger(number) ? number : usual;
    else state[name] = text;
  }
}

function hashOf(of) {
  const given = new URLSearchParams();
  for (const [name, usual] of Object.entries(DEFAULTS)) if (of[name] !== usual) given.set(name, of[name]);
  return `#${given}`;
}

/** Change the state, the address and the page; another tab is a step for the Back button. */
export function set(changes) {
  const before = state.tab;
  Object.assign(state, changes);
  if (state.tab !== before) write("pushState");
  else writeHash();
  notify();
}

/** The same view in another language, which is another page. */
export function speak(lang) {
  location.hash = hashOf({ ...state, lang });
}

/** Put the state into the address, where that is allowed: a page inside `srcdoc` has none of its own. */
function write(how) {
  try {
    history[how](null, "", hashOf(state));
  } catch (error) {
    if (error.name !== "SecurityError") throw error;
  }
}

const HASH_PAUSE = 100; // milliseconds between changes of the address: browsers stop listening to more than 200 in 10 s
let hashTimer = null;

/** Write the address now, or in a moment if that was done just before. */
function writeHash() {
  if (hashTimer) return;
  write("replaceState");
  hashTimer = setTimeout(() => {
    hashTimer = null;
    if (location.hash !== hashOf(state)) write("replaceState");
  }, HASH_PAUSE);
}

export function notify() {
  for (const watcher of watchers) watcher(state);
}

/** Take the state from the address, now and whenever it changes; whole(state) is the rest of what it only names. */
export function follow(whole) {
  const read = () => {
    readHash();
    const rest = whole(state);
    if (rest) {
      Object.assign(state, rest);
      write("replaceState"); // not one more step for the Back button: it would lead here again
    }
    notify();
  };
  window.addEventListener("popstate", () => (askedLanguage() === language ? read() : location.reload()));
  read();
}
