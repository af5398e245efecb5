// The same noise with T = 1 … 128 and three methods of sampling: how many steps it takes until the ghosts are gone.

import { newest } from "../engine.js";
import { nextNoise, x0Of } from "../noise.js";
import { GUIDANCE, path } from "../sampling.js";
import { Picture, greyLevels, greyscale, make } from "../pictures.js";
import { button, slider, tick } from "../controls.js";

// The rows of the matrix; the first is the paper's sampler. Its columns have T = 2 ** 0 … 2 ** 7.
const CONTESTANTS = [
  { letter: "A", name: "Euler, even steps", method: "euler", schedule: "uniform" },
  { letter: "B", name: "Euler, early steps", method: "euler", schedule: "early" },
  { letter: "C", name: "Adams–Bashforth, early steps", method: "ab2", schedule: "early" },
];
const COLUMNS = 8, KEPT = 20; // so many noise samples stay computed

// What all are measured against, by row and column: C with 128 steps. With 64 it is usually 0.2 grey levels away, and
// the error that a method of second order has left is then about a third of that.
const [END_ROW, END_COLUMN] = [2, COLUMNS - 1];

// Closer than this, no ghost was left to see (looked at for 32 noise samples).
const NEAR = 3;
function nearness(levels) {
  if (levels < 1) return "the same to the eye";
  if (levels < NEAR) return "nearly the same";
  if (levels < 8) return "some strokes differ";
  if (levels < 20) return "clearly different";
  return "far off";
}

const stepCount = k => (k ? `${2 ** k} steps` : "1 step");

// What to look at while columns are still closed, or not there.
function hint(k, allOpen) {
  if (allOpen) return "Many steps take a few seconds. Which row loses its ghosts first?";
  if (k === 0) return "One step is one jump: every method does the same, and lands near the mean of all digits.";
  return "Which row loses its ghosts first? Drag T on to open the next column.";
}

// What the whole matrix says; `settled`: for each row the first column from which on it stays near the end.
function answer(settled) {
  const parts = settled.map((k, row) => {
    return `${CONTESTANTS[row].letter} needs ${k < COLUMNS ? stepCount(k) : "more than 128"}`;
  });
  return `✓ marks where a row stops changing (within ${NEAR} grey levels of the end): ${parts.join(", ")}. ` +
    "More steps come closer to the end, but do not make it a better digit.";
}

const clear = canvas => canvas.getContext("2d").clearRect(0, 0, canvas.width, canvas.height);

export const steps = {
  title: "Steps",
  question: "How many steps until the ghosts are gone?",
  look: "Ghosts are strokes of other digits. Guess a T for A, B and C, then drag T to open the columns.",
  keys: "← → T · n new noise",
  fields: ["seed", "which", "doublings", "all", "pushed"],

  mount(root, app) {
    const pictures = CONTESTANTS.map(({ letter, name }) => new Picture(letter, name));
    const readouts = pictures.map(({ caption }) => caption.appendChild(make("span", { className: "readout" })));
    const choose = slider("number of steps", { most: COLUMNS - 1, step: 1, text: k => `T = ${2 ** k}` },
      doublings => app.change({ doublings }));
    choose.input.classList.add("main");
    const evaluations = make("span");
    const cells = CONTESTANTS.map(() => Array.from({ length: COLUMNS }, () =>
      make("span", { className: "cell" }, make("canvas", { width: 32, height: 32, className: "picture" }))));
    // A column is one button: what differs within it is not the T that it picks.
    const columns = Array.from({ length: COLUMNS }, (_, k) =>
      button(make("b", {}, String(2 ** k)), () => app.change({ doublings: k })));
    columns.forEach((column, k) => column.append(...cells.map(row => row[k])));
    const letters = CONTESTANTS.map(({ letter }) => make("i", {}, letter));
    const words = make("p", { className: "words" });
    const setAll = tick("Open all", all => app.change({ all }));
    // Not guided at first: the question is about the paper's sampler. Guided, there are as many ghosts, but the paths
    // bend more, so that some rows need more steps, and some ends are other digits.
    const setPushed = tick("Guided, as in Scrub", pushed => app.change({ pushed }));
    root.append(
      make("div", { className: "pictures" }, ...pictures.map(picture => picture.element)),
      make("div", { className: "below" },
        make("div", {},
          make("p", { className: "chosen" }, choose.element.querySelector("output"), evaluations),
          make("div", { className: "axis" }, choose.input),
          make("div", { className: "columns", role: "group", "aria-label": "numbers of steps" },
            make("div", { className: "letters", "aria-hidden": "true" }, ...letters), ...columns)),
        make("div", { className: "beside" },
          words,
          make("p", { className: "note" },
            "A takes the paper's steps; the end is C with 128. Numbers: how far a pixel is from the end on average, " +
            "in grey levels of 255."),
          make("div", { className: "row" },
            button("New noise", () => app.change(nextNoise(app.state)), { "data-key": "n" }),
            setAll.element, setPushed.element))),
    );

    // The ends of the last few noise samples, by row and column.
    const kept = new Map(), keyOf = ({ seed, which, pushed }) => [seed, which, pushed].join();
    function ends(state) {
      const key = keyOf(state);
      if (!kept.has(key)) kept.set(key, CONTESTANTS.map(() => Array(COLUMNS).fill(null)));
      if (kept.size > KEPT) kept.delete(kept.keys().next().value);
      return kept.get(key);
    }

    // Fills the matrix: the chosen column first, then the end, then from left to right.
    const column = k => CONTESTANTS.map((_, row) => [row, k]);
    const fromTheLeft = Array.from({ length: COLUMNS }, (_, k) => column(k)).flat();
    const fill = newest(async (state, outdated) => {
      const mine = ends(state), guidance = state.pushed ? GUIDANCE : 0;
      const x0 = x0Of(state);
      const evaluate = (x, alpha) => app.engine.tangents(x, alpha, guidance);
      for (;;) {
        const order = [...column(app.state.doublings), [END_ROW, END_COLUMN], ...fromTheLeft];
        const missing = order.find(([row, k]) => !mine[row][k]);
        if (!missing) return;
        const [row, k] = missing;
        const moments = await path(evaluate, x0, { ...CONTESTANTS[row], steps: 2 ** k }, outdated);
        if (!moments) return;
        mine[row][k] = moments.at(-1).x;
        paint(app.state);
      }
    });

    let announced = "";
    function paint(state) {
      const mine = ends(state), chosen = state.doublings, end = mine[END_ROW][END_COLUMN];
      const open = k => state.all || k <= chosen, full = mine.flat().every(Boolean);
      const whole = full && open(COLUMNS - 1);
      const settled = whole ? mine.map(row => row.findLastIndex(x => greyLevels(x, end) >= NEAR) + 1) : [];
      pictures.forEach((picture, row) => paintLarge(picture, readouts[row], mine[row][chosen], end));
      columns.forEach((button, k) => {
        button.classList.toggle("closed", !open(k));
        button.setAttribute("aria-pressed", k === chosen);
        button.setAttribute("aria-label", `T = ${2 ** k}${open(k) ? "" : ", still closed"}`);
        cells.forEach((cellsOfRow, row) => {
          const canvas = cellsOfRow[k].firstChild, x = mine[row][k];
          if (x && open(k)) greyscale(canvas, x);
          else clear(canvas);
          cellsOfRow[k].classList.toggle("settled", k === settled[row]);
        });
      });
      words.textContent = whole ? answer(settled) : hint(chosen, open(COLUMNS - 1));
      root.setAttribute("aria-busy", !full);
      const each = CONTESTANTS.map(({ letter }, row) => `${letter}: ${readouts[row].textContent}`);
      const said = [stepCount(chosen), ...each].join(". ");
      if (said === announced || !end || mine.some(row => !row[chosen])) return;
      app.say((announced = said));
    }

    function paintLarge(picture, readout, x, end) {
      if (!x) {
        clear(picture.canvas);
        readout.textContent = "…";
        picture.canvas.setAttribute("aria-label", `${picture.meaning}, being computed`);
        return;
      }
      const levels = end && greyLevels(x, end);
      readout.textContent = !end ? "…" : x === end ? "This is the end." : `${levels.toFixed(1)}: ${nearness(levels)}`;
      picture.paint(x, `${stepCount(app.state.doublings)}, from the end: ${readout.textContent}`);
    }

    let shown = "";
    function show(state) {
      choose.set(state.doublings);
      evaluations.textContent = ` · ${2 ** state.doublings} evaluation${state.doublings ? "s" : ""} for each picture`;
      setAll.set(state.all);
      setPushed.set(state.pushed);
      const before = shown;
      shown = keyOf(state);
      if (shown !== before) fill(state);
      paint(state);
    }

    return { show };
  },
};
