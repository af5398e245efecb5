// The reader's own drawing: blended with noise and deblended from there; or led back to its noise, and forward again.

import { newest } from "../engine.js";
import { toDisplay } from "../network.js";
import { nextNoise, x0Of } from "../noise.js";
import { GUIDANCE, inverted, path } from "../sampling.js";
import { DRAWING_LETTERS, initial } from "../state.js";
import { GRID, inked, strokeText, strokesOf, thinned } from "../strokes.js";
import { Bars, Picture, classes, greyLevels, inkChanged, make, surely } from "../pictures.js";
import { button, field, segments, slider, strip } from "../controls.js";

// The deviation of a picture's pixels from their mean, and the correlation of two pictures.
function deviation(x) {
  const mean = x.reduce((sum, value) => sum + value) / x.length;
  return Math.sqrt(x.reduce((sum, value) => sum + (value - mean) ** 2, 0) / x.length);
}
function correlation(x, y) {
  const [meanX, meanY] = [x, y].map(values => values.reduce((sum, value) => sum + value) / values.length);
  const product = x.reduce((sum, value, i) => sum + (value - meanX) * (y[i] - meanY), 0) / x.length;
  return product / (deviation(x) * deviation(y));
}

const FROM_BLEND = { steps: 16, method: "ab2", schedule: "early" }; // the path from the blend
const BACK_STEPS = 64; // Euler's steps, each way
const RESULTS_FROM = [0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.6];

// What became of a drawing, by how much of its ink is other (looked at for ten drawings and four noise samples).
function became(alpha, changed) {
  if (alpha === 0) return "Pure noise, with no trace of your drawing.";
  if (alpha === 1) return "Your drawing as it is: nothing is left to deblend.";
  if (changed >= 60) return "Replaced: little of your drawing is left.";
  if (changed >= 25) return "Redrawn: it follows your strokes, in its own hand.";
  if (changed >= 10) return "Touched up: your strokes stay, and some flaws go.";
  return "Kept: this is nearly your drawing, flaws included.";
}

export const draw = {
  title: "Draw",
  question: "What does the network repair, and what does it replace?",
  look: "Draw a digit with a flaw. A smaller α lets the network repair it, and in the end replace it.",
  keys: "← → α · n new noise · u undo · c clear · Tab to the drawing: arrows move, Space draws",
  fields: ["seed", "which", "drawing", "blend", "back"],

  mount(root, app) {
    const drawn = new Picture("x_1", "your drawing"), mixed = new Picture("x_α", "blended with noise");
    const result = new Picture("", "deblended from there"), found = new Picture("x_0", "the noise found for it");
    const again = new Picture("", "and back from that noise");
    const bars = new Bars("how sure a classifier is of the result");
    const board = field(app, drawn, GRID, "drawing field: arrow keys move, Space puts the pen down and lifts it",
      { press, move, release });
    board.element.append(make("div", { className: "guide" }));
    const mode = segments("what to do with the drawing", [[false, "Blend and deblend"], [true, "Back to its noise"]],
      back => app.change({ back }));
    const setBlend = slider("α", {}, blend => app.change({ blend }));
    setBlend.input.classList.add("main");
    const results = strip("the result from α", RESULTS_FROM.map(String), i => app.change({ blend: RESULTS_FROM[i] }));
    const words = make("p", { className: "words" });
    const renew = button("New noise", () => app.change(nextNoise(app.state)), { "data-key": "n" });
    root.append(
      drawn.element, mixed.element, result.element, bars.element, found.element, again.element,
      make("div", { className: "row" },
        button("Undo", () => keep(app.state.drawing.split(".").slice(0, -1)), { "data-key": "u" }),
        button("Clear", () => keep([]), { "data-key": "c" }),
        renew, mode.element),
      setBlend.element, words, results.element);

    // The stroke under the hand, as drawn, and the drawing before it. A first stroke takes the example's place.
    let stroke = null, before = "";
    function press(x, y) {
      before = app.state.drawing === initial().drawing ? "" : app.state.drawing;
      stroke = [];
      move(x, y);
    }
    function move(x, y) {
      if (!stroke || (stroke.length && stroke.at(-1)[0] === x && stroke.at(-1)[1] === y)) return;
      stroke.push([x, y]);
      const drawing = [before, strokeText(thinned(stroke))].filter(Boolean).join(".");
      if (drawing.length <= DRAWING_LETTERS) return app.change({ drawing });
      stroke = null;
      app.notice("The drawing is full: a link carries no more. Undo, or clear.");
    }
    function release() {
      stroke = null;
    }

    function keep(strokes) {
      app.notice("");
      app.change({ drawing: strokes.join(".") });
    }

    // What the state shows, from what it is computed.
    const mix = (x0, x1, alpha) => x1.map((value, i) => (1 - alpha) * x0[i] + alpha * value);
    async function deblended(x0, x1, from, outdated) {
      if (from === 1) return x1;
      const tangents = (x, alpha) => app.engine.tangents(x, alpha, GUIDANCE);
      return (await path(tangents, mix(x0, x1, from), { ...FROM_BLEND, from }, outdated))?.at(-1).x;
    }

    let source = "", x1 = null, small = [];
    const follow = newest(async (state, outdated) => {
      if (state.drawing) await (state.back ? goBack(x1, outdated) : fromBlend(state, outdated));
      if (!outdated()) root.setAttribute("aria-busy", "false");
    });

    async function fromBlend(state, outdated) {
      const mine = small, shown = x1, x0 = x0Of(state), alpha = state.blend;
      const x = await deblended(x0, shown, alpha, outdated);
      if (!x || outdated()) return;
      const [before, after] = [await app.engine.classify(shown), await app.engine.classify(x)];
      if (outdated()) return;
      const changed = inkChanged(x, shown);
      result.paint(x, surely(after));
      bars.paint(after);
      words.textContent = `${became(alpha, changed)} ${changed} % of the ink has changed. ${classes(before, after)}`;
      app.say(`α ${alpha.toFixed(2)}. ${words.textContent}`);
      for (const [i, from] of RESULTS_FROM.entries()) {
        if (mine[i]) continue;
        mine[i] = await deblended(x0, shown, from, outdated);
        if (outdated()) return;
        results.paint(i, mine[i]);
      }
    }

    // Not guided: the noise that the network itself leads to the drawing.
    async function goBack(shown, outdated) {
      const tangents = (x, alpha) => app.engine.tangents(x, alpha);
      words.textContent = "On the way back to the noise …";
      const x0 = await inverted(tangents, shown, { steps: BACK_STEPS }, outdated);
      if (!x0) return;
      found.paint(x0);
      const x = (await path(tangents, x0, { steps: BACK_STEPS }, outdated))?.at(-1).x;
      if (!x) return;
      again.paint(x);
      const off = x.map((value, i) => 255 * Math.abs(toDisplay(value) - toDisplay(shown[i])));
      const alike = correlation(x0, shown);
      words.textContent = `Forward again, it misses your drawing by ${greyLevels(x, shown)} grey levels of 255 ` +
        `on average, by ${Math.round(Math.max(...off))} in the worst pixel. The noise found has a deviation of ` +
        `${deviation(x0).toFixed(2)}; real noise has 1.` +
        (deviation(x0) > 3 ? " The network has never seen such a picture, and goes astray." : "") +
        (alike > 0.3 ? ` Your strokes still show in it (correlation ${alike.toFixed(2)}).` : "");
      app.say(words.textContent);
    }

    function show(state) {
      const { drawing, blend, back } = state, empty = !drawing;
      root.setAttribute("aria-busy", "true");
      mode.set(back);
      setBlend.set(blend);
      results.set(RESULTS_FROM.indexOf(blend));
      root.classList.toggle("empty", empty);
      for (const part of [mixed, result, bars, setBlend, results]) part.element.hidden = back;
      for (const part of [found, again]) part.element.hidden = !back;
      renew.hidden = back;
      const example = drawing === initial().drawing;
      drawn.caption.lastChild.textContent = example ? "an example: your first stroke replaces it" : "your drawing";
      const wanted = [drawing, state.seed, state.which].join();
      if (wanted !== source) {
        source = wanted;
        x1 = inked(strokesOf(drawing));
        small = [];
        drawn.paint(x1, empty ? "empty" : "");
      }
      if (empty) words.textContent = "Draw a digit in the field: by finger, mouse or pen, or by arrow keys and Space.";
      else mixed.paint(mix(x0Of(state), x1, blend), `at α = ${blend.toFixed(2)}`);
      follow(state);
    }

    return { show };
  },
};
