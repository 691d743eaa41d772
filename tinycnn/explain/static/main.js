// main: the tabs, the theme, the address, and the self-check once the page is there.

const TABS = [slideTab, im2colTab, sizeTab, channelsTab, networkTab, backwardTab, trainingTab, editTab];

function build() {
  const nav = document.querySelector(".tabs");
  const main = document.querySelector("main");
  const tabs = TABS.map((tab, index) => {
    const control = h(
      "button",
      {
        type: "button",
        role: "tab",
        id: `tab-${tab.id}`,
        "aria-controls": `panel-${tab.id}`,
        onclick: () => open(tab.id),
      },
      h("span", { class: "tab-number", "aria-hidden": "true" }, String(index + 1)),
      tab.name,
    );
    const root = h("section", {
      class: "tab",
      role: "tabpanel",
      id: `panel-${tab.id}`,
      "aria-labelledby": `tab-${tab.id}`,
      hidden: true,
    });
    nav.append(control);
    main.append(root);
    return { ...tab, index, control, root, update: null };
  });
  const open = (id) => {
    if (id !== state.tab) set({ tab: id, guess: "", edits: "" });
  };
  nav.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1, Home: -Infinity, End: Infinity }[event.key];
    if (!step) return;
    event.preventDefault();
    const here = tabs.findIndex((tab) => tab.id === state.tab);
    const next = Number.isFinite(step) ? (here + step + tabs.length) % tabs.length : step < 0 ? 0 : tabs.length - 1;
    tabs[next].control.focus();
    open(tabs[next].id);
  });
  watchers.push(() => {
    document.documentElement.dataset.theme = state.theme;
    const current = tabs.find((tab) => tab.id === state.tab) ?? tabs[0];
    for (const tab of tabs) {
      const chosen = tab === current;
      tab.root.hidden = !chosen;
      tab.control.setAttribute("aria-selected", chosen);
      tab.control.tabIndex = chosen ? 0 : -1;
    }
    if (!current.update) assemble(current);
    current.head.show(state.guess);
    current.update();
  });
}

/** A tab is put together when it is first opened. */
function assemble(tab) {
  tab.head = tab.lead(tab.index + 1);
  const stage = h("div", { class: "stage" });
  tab.root.append(tab.head, stage);
  const say = caption();
  tab.update = tab.build(stage, say);
}

/** Arrow keys move the window also while nothing has the focus. */
function globalKeys(event) {
  const step = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
  const free = document.activeElement === document.body || document.activeElement === null;
  if (
    !step ||
    !free ||
    !["slide", "im2col", "channels"].includes(state.tab) ||
    event.altKey ||
    event.ctrlKey ||
    event.metaKey
  )
    return;
  event.preventDefault();
  if (state.tab === "im2col") stepWindow(currentConv(), step[0] * currentConv().OW + step[1]);
  else moveWindow(currentConv(), ...step);
}

function footer() {
  const { engine, left_out: left } = DATA;
  const parts = [
    `tinycnn ${engine.tinycnn}`,
    `NumPy ${engine.numpy}`,
    `Python ${engine.python}`,
    engine.device === "cpu" ? "CPU" : "GPU",
    engine.dtype,
    `seed ${engine.seed}`,
  ];
  document
    .querySelector(".foot")
    .append(
      h(
        "p",
        {},
        "Every number marked ",
        origin("engine"),
        " is a bit-for-bit copy of an array that tinycnn made; what this page computes by itself is marked ",
        origin("browser"),
        " and was checked against the engine when the page opened.",
      ),
      h("p", { class: "versions" }, parts.join(" · "), h("span", {}, ` · columns: ${DATA.cols_layout}`)),
      left.length ? h("p", { class: "versions" }, `Left out to keep this file small: ${left.join("; ")}.`) : "",
    );
}

function themeButton() {
  document
    .getElementById("theme")
    .addEventListener("click", () => set({ theme: theme() === "dark" ? "light" : "dark" }));
  const show = () => {
    document.getElementById("theme").textContent = theme() === "dark" ? "Light" : "Dark";
    repaint();
  };
  watchers.push(() => {
    if (themeButton.last !== theme()) {
      themeButton.last = theme();
      show();
    }
  });
  dark.addEventListener("change", notify);
}

build();
themeButton();
footer();
document.addEventListener("keydown", globalKeys);
readHash();
notify();
setTimeout(() => showSelfcheck(selfcheck()));
