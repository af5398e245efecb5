// A picture from one α, and the network told another: what it takes for ink, and what for noise.

import { newest } from "../engine.js";
import { nextNoise, x0Of } from "../noise.js";
import { GUIDANCE, between, deblend, path } from "../sampling.js";
import { Picture, greyLevels, greyscale, make } from "../pictures.js";
import { button, slider } from "../controls.js";

const MATRIX = [0, 0.1, 0.25, 0.5, 0.9, 1]; // the α of its rows and columns

// The path is the one that Scrub opens with, guided, so that its end is a good digit. The answers are not guided: the
// lie is told to the network itself, and guidance would mix in what the Gaussian believes.
const PATH = { steps: 16, method: "ab2", schedule: "early" };

// What there is to see, by how far the answer is from the true one and from x, in grey levels; looked at for 32 noise
// samples.
function verdict(made, told, fromTruth, fromX) {
  if (told === made) return "The truth. This x̄₁ is what the network has in mind.";
  if (fromTruth < 3) return "A lie that does little harm: the two x̄₁ are nearly the same.";
  if (told > made) {
    if (told === 1) return "Told that x is finished. Nothing is left to deblend, so x̄₁ is x itself, grain and all.";
    if (fromX < 12 && fromX < fromTruth) return "Told too large an α: it takes grain for ink. x̄₁ is nearly x itself.";
    if (told >= 0.25) return "Told too large an α: it takes grain for ink, and draws strokes or specks from it.";
    return "Told too large an α: it takes traces in the grain for strokes, and draws a shape too soon.";
  }
  if (told === 0 && made <= 0.1) return "Told that x is pure noise, it draws a blur near the mean of all digits.";
  return "Told too small an α: it trusts x less, so strokes come out thicker and softer.";
}

export const wrong = {
  title: "Wrong\u00a0α",
  question: "What if you tell the network a wrong α?",
  look: "Compare the two x̄₁. In the matrix, a dashed frame marks the truth.",
  keys: "← → told α · n new noise",
  fields: ["seed", "which", "made", "told"],

  mount(root, app) {
    const given = new Picture("x", ""), lied = new Picture("x̄_1", ""), honest = new Picture("x̄_1", "");
    const setMade = slider("true α", { step: 0.01 }, made => app.change({ made }));
    const setTold = slider("told α", { step: 0.01 }, told => app.change({ told }));
    setTold.input.classList.add("main");
    const words = make("p", { className: "words" });
    const cells = MATRIX.map(made => MATRIX.map(told => {
      const canvas = make("canvas", { width: 32, height: 32, className: "picture" });
      const [className, truth] = made === told ? ["truth", ", the truth"] : ["", ""];
      const label = `true α ${made}, told ${told}${truth}`;
      return button(canvas, () => app.change({ made, told }), { className, "aria-label": label });
    }));
    root.append(
      make("div", { className: "hands" },
        make("div", { className: "pictures" }, given.element, lied.element, honest.element),
        setTold.element, setMade.element, words),
      make("div", { className: "presets" },
        button("Pure noise, called 0.9", () => app.change({ made: 0, told: 0.9 })),
        button("A digit, called 0.1", () => app.change({ made: 1, told: 0.1 })),
        button("New noise", () => app.change(nextNoise(app.state)), { "data-key": "n" })),
      make("div", { className: "matrix", role: "group", "aria-label": "x̄₁ by true and told α" },
        make("span", { className: "corner" }, "told →", make("br"), "true ↓"),
        ...MATRIX.map(told => make("b", {}, String(told))),
        ...MATRIX.flatMap((made, i) => [make("b", {}, String(made)), ...cells[i]])),
    );

    // x̄₁ when told an α.
    const answered = async (x, told) => deblend(x, await app.engine.tangents(x, told), told)[1];

    let moments = null;
    const prepare = newest(async (state, outdated) => {
      const guided = (x, alpha) => app.engine.tangents(x, alpha, GUIDANCE);
      const found = await path(guided, x0Of(state), PATH, outdated);
      if (!found) return;
      moments = found;
      look(app.state);
      for (const [i, made] of MATRIX.entries()) {
        const x = between(moments, made);
        for (const [j, told] of MATRIX.entries()) {
          const x1Hat = await answered(x, told);
          if (outdated()) return;
          greyscale(cells[i][j].firstChild, x1Hat);
        }
      }
    });

    const look = newest(async ({ made, told }, outdated) => {
      if (!moments) return;
      const followed = moments, x = between(followed, made);
      const [answer, truth] = [await answered(x, told), await answered(x, made)];
      if (followed !== moments) return; // another noise by now
      const fromTruth = greyLevels(answer, truth);
      paint(given, x, `really at α = ${made.toFixed(2)}`);
      paint(lied, answer, `told α = ${told.toFixed(2)}`);
      paint(honest, truth, `told the truth, ${made.toFixed(2)}`);
      words.textContent = verdict(made, told, fromTruth, greyLevels(answer, x));
      root.setAttribute("aria-busy", outdated());
      app.say(`True α ${made.toFixed(2)}, told ${told.toFixed(2)}. ${words.textContent}`);
    });

    function paint(picture, pixels, meaning) {
      picture.caption.lastChild.textContent = meaning;
      picture.paint(pixels, `${picture.caption.firstChild.textContent} ${meaning}`);
    }

    let shown = "";
    function show(state) {
      setMade.set(state.made);
      setTold.set(state.told);
      cells.forEach((row, i) => row.forEach((cell, j) =>
        cell.setAttribute("aria-pressed", MATRIX[i] === state.made && MATRIX[j] === state.told)));
      root.setAttribute("aria-busy", true);
      const before = shown;
      shown = `${state.seed},${state.which}`;
      if (shown === before) return look(state);
      moments = null;
      prepare(state);
    }

    return { show };
  },
};
