// state: what is looked at, kept in the address after #, so that every view has a link.

const DEFAULTS = {
  tab: "slide",
  theme: "",
  guess: "", // guess: the answer chosen on this tab, "" before one is chosen
  src: "toy",
  img: 0,
  o: 0,
  i: 2,
  j: 2,
  c: 0, // which convolution, image, filter, window, channel
  s: 1,
  p: 1,
  d: 1,
  flip: 0,
  edits: "", // the toy's options and the numbers changed in it
  fill: 0,
  tap: -1, // im2col: fill step by step; the row looked at
  n: 7,
  k: 3,
  ss: 2,
  sp: 0,
  sd: 1, // the size tab's
  unit: "",
  scope: "layer", // network
  step: -1,
  cell: "", // training: snapshot, cell of the confusion matrix
  pic: 0,
  moves: "", // edit
};

const state = { ...DEFAULTS };
const watchers = [];

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
function set(changes) {
  const before = state.tab;
  Object.assign(state, changes);
  if (state.tab !== before) history.pushState(null, "", hashOf(state));
  else writeHash();
  notify();
}

const HASH_PAUSE = 100; // milliseconds between changes of the address: browsers stop listening to more than 200 in 10 s
let hashTimer = null;

/** Write the address now, or in a moment if that was done just before. */
function writeHash() {
  if (hashTimer) return;
  history.replaceState(null, "", hashOf(state));
  hashTimer = setTimeout(() => {
    hashTimer = null;
    if (location.hash !== hashOf(state)) history.replaceState(null, "", hashOf(state));
  }, HASH_PAUSE);
}

function notify() {
  for (const watcher of watchers) watcher(state);
}

window.addEventListener("popstate", () => {
  readHash();
  notify();
});
