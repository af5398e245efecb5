// One digit on its path, α under the hand: where the sampler is, and what the network has in mind there.

import { newest } from "../engine.js";
import { PIXELS } from "../network.js";
import { noise } from "../noise.js";
import { GUIDANCE, apart, between, deblend, path } from "../sampling.js";
import { STEP_COUNTS } from "../state.js";
import { Bars, Picture, greyscale, make, method, mostLikely, surely } from "../pictures.js";
import { alphaText, alphaTrack, button, choices, playButton, tick } from "../controls.js";

// What there is to see where x̄₁ still has this share of its way to go.
const UNDECIDED = 0.75, DECIDED = 0.25;
const TESTING = 20; // seconds from α = 0 to 1: at a faster pace, α runs on far while a reader still presses
const NEVER = 2, SURE = 0.9; // of the classifier; it calls the mean of all digits an 8, but is less sure
function told(alpha, left) {
  if (alpha === 0) return "Pure noise. With no trace of a digit, the best guess is close to the mean of all digits.";
  if (alpha === 1) return "The digit. Both pictures are the same now: the noise is gone.";
  if (left > UNDECIDED) return "Undecided: the right picture is a blur of several digits.";
  if (left > DECIDED) return "Deciding: the right picture takes its shape, while the left one is still noisy.";
  return "Cleaning up: the right picture hardly changes any more, the noise on the left fades.";
}

export const scrub = {
  title: "Scrub",
  question: "How early does the network know which digit it will be?",
  look: "α is the digit's share of the left picture, the rest is noise. Drag it, and watch the right picture.",
  keys: "← → α · space plays · n new noise · g test yourself",
  fields: ["seed", "which", "alpha", "T", "method", "schedule", "guided", "machinery"],

  mount(root, app) {
    const where = new Picture("x_α", "where the sampler is");
    const mind = new Picture("x̄_1", "its guess of the digit");
    const start = new Picture("x̄_0", "its guess of the noise");
    const tangent = new Picture("D", "light adds ink, dark takes it", { signed: true });
    const bars = new Bars("how sure a classifier is of x̄₁");
    const thumbs = Array.from({ length: 16 }, (_, i) => {
      const canvas = make("canvas", { width: 32, height: 32, className: "picture" });
      return button(canvas, () => app.change({ which: i }), { "aria-label": `digit ${i + 1} of 16` });
    });
    const track = alphaTrack(app);
    const words = make("p", { className: "words" });
    const guess = make("p", { className: "guess", role: "status" });
    const methods = [["ab2", "Adams–Bashforth"], ["euler", "Euler"]];
    const schedules = [["early", "more of them early"], ["uniform", "even"]];
    const setMethod = choices("method", methods, method => app.change({ method }));
    const setSchedule = choices("steps", schedules, schedule => app.change({ schedule }));
    const setT = choices("T", STEP_COUNTS.map(T => [T, T]), T => app.change({ T }));
    const setGuided = tick("guided", guided => app.change({ guided }));
    const setMachinery = tick("show x̄₀, D and settings", on => app.change({ machinery: on }));
    const settings = [setMethod, setSchedule, setT, setGuided].map(control => control.element);
    const newNoise = button("New noise", () => {
      endTest("");
      app.change({ seed: (app.state.seed + 1) % 4294967296, which: 0 });
    }, { "data-key": "n" });
    const test = button("Test yourself", begin, { "data-key": "g" });
    root.append(
      make("div", { className: "pictures" }, where.element, mind.element, start.element, tangent.element, bars.element),
      track.element,
      guess,
      words,
      make("div", { className: "thumbs", role: "group", "aria-label": "sixteen noise samples" }, ...thumbs),
      make("div", { className: "row" }, playButton(app), newNoise, test, setMachinery.element),
      make("div", { className: "row settings" }, ...settings),
      method(),
    );
    let moments = null, left = null, settled = null;

    // The path of the large digit, then those of the sixteen, one by one, so that the slider's own evaluation never
    // waits for long.
    let wanted = "", shownWhich = -1, paths = [];
    const prepare = newest(async (state, outdated) => {
      const mine = paths, x0 = noise(state.seed, 16), guidance = state.guided ? GUIDANCE : 0;
      const tangents = (x, alpha) => app.engine.tangents(x, alpha, guidance);
      for (const i of [state.which, ...Array(16).keys()]) {
        const start = x0.slice(PIXELS * i, PIXELS * (i + 1));
        mine[i] ??= await path(tangents, start, { ...state, steps: state.T }, outdated);
        if (outdated()) return;
        if (i === state.which && moments !== mine[i]) await follow(mine[i]);
        paintThumb(i, app.state.alpha);
      }
    });

    // What is said of a path as a whole.
    async function follow(found) {
      moments = found;
      const guesses = moments.map(({ x, d, alpha }) => (d ? deblend(x, d, alpha)[1] : x));
      const away = guesses.map(guess => apart(guess, guesses.at(-1)));
      left = away.map(distance => (away[0] ? distance / away[0] : 1)); // one step alone decides nothing
      const shares = await app.engine.classify(Float32Array.from(guesses.flatMap(guess => [...guess])));
      if (moments !== found) return; // another noise by now
      const digit = mostLikely(shares.subarray(-10));
      settled = moments[guesses.findLastIndex((_, i) => shares[10 * i + digit] < SURE) + 1]?.alpha ?? NEVER;
      drawCurve();
      paint(app.state);
      look(app.state);
    }

    // One evaluation at the slider's α, for the large pictures.
    const look = newest(async state => {
      if (!moments) return;
      const { alpha } = state, x = between(moments, alpha), followed = moments;
      const d = await app.engine.tangents(x, alpha, state.guided ? GUIDANCE : 0);
      const [x0Hat, x1Hat] = deblend(x, d, alpha);
      const shares = await app.engine.classify(x1Hat);
      if (followed !== moments) return; // another noise by now
      const at = `at α = ${alphaText(alpha)}`;
      where.paint(x, at);
      mind.paint(x1Hat, `${at}, ${surely(shares)}`);
      start.paint(x0Hat, at);
      tangent.paint(d, at);
      bars.paint(shares);
      root.setAttribute("aria-busy", state !== app.state || moments !== paths[state.which]);
      if (!performance.getEntriesByName("first picture").length) performance.mark("first picture"); // for who measures
      app.say(`α ${alphaText(alpha)}. ${words.textContent} In mind: ${surely(shares)}.`);
    });

    // What needs no evaluation.
    function paint({ alpha }) {
      track.set(alpha);
      if (!moments) return;
      const k = Math.min(moments.findLastIndex(moment => moment.alpha <= alpha), moments.length - 2);
      const share = (alpha - moments[k].alpha) / (moments[k + 1].alpha - moments[k].alpha);
      const way = left[k] + share * (left[k + 1] - left[k]);
      words.textContent = moments.length > 2 ? told(alpha, way) : "One step: it never decides. This blur is its end.";
      thumbs.forEach((_, i) => paintThumb(i, alpha));
    }

    function paintThumb(i, alpha) {
      thumbs[i].classList.toggle("old", !paths[i]);
      if (paths[i]) greyscale(thumbs[i].firstChild, between(paths[i], alpha));
    }

    // How far x̄₁ still is from what it becomes, and the three parts of the way, behind the slider's track.
    function drawCurve() {
      const points = moments.map(({ alpha }, i) => [alpha, Math.min(1, left[i])]);
      const crossing = level => {
        const i = left.findLastIndex(share => share > level);
        if (i === left.length - 1) return 1;
        const share = (left[i] - level) / (left[i] - left[i + 1]);
        return moments[i].alpha + share * (moments[i + 1].alpha - moments[i].alpha);
      };
      const [from, to] = [crossing(UNDECIDED), crossing(DECIDED)];
      const bands = [["undecided", 0, from], ["deciding", from, to], ["cleaning up", to, 1]];
      track.draw(points, bands, "how far x̄₁ still is from its end");
    }

    const momentOf = state => [state.seed, state.which, state.alpha].join();
    function show(state) {
      if (testing && state.alpha === 1 && !app.player.running) reveal();
      else if (!testing && guess.textContent && verdictAt !== momentOf(state)) endTest("");
      root.setAttribute("aria-busy", true);
      setMethod.set(state.method);
      setSchedule.set(state.schedule);
      setT.set(state.T);
      setGuided.set(state.guided);
      setMachinery.set(state.machinery);
      root.classList.toggle("whole", state.machinery);
      thumbs.forEach((thumb, i) => thumb.setAttribute("aria-pressed", i === state.which));
      const source = [state.seed, state.T, state.method, state.schedule, state.guided].join();
      if (source !== wanted) paths = [];
      if (source !== wanted || state.which !== shownWhich) {
        settled = null;
        prepare(state);
      }
      [wanted, shownWhich] = [source, state.which];
      paint(state);
      look(state);
    }

    // Test yourself: the right picture is covered until the reader has seen enough of the left one.
    let testing = false, verdictAt = "";
    function begin() {
      if (testing) return reveal();
      testing = true;
      root.classList.add("covered");
      test.textContent = "I can read it";
      guess.textContent = "The right picture is covered. Press again as soon as you can read the left one.";
      app.change({ seed: (app.state.seed + 1) % 4294967296, which: 0, alpha: 0 });
      app.play(TESTING);
    }
    function reveal() {
      const network = settled === null ? "The network's path is still being computed."
        : settled === NEVER ? "Even at the end a classifier is not sure what x̄₁ is."
        : `The network: about ${alphaText(settled)}; from there on a classifier is at least 90 % sure what x̄₁ is.`;
      endTest(`You: α = ${alphaText(app.state.alpha)}. ${network}`);
      verdictAt = momentOf(app.state);
      app.pause();
    }
    function endTest(verdict) {
      testing = false;
      root.classList.remove("covered");
      test.textContent = "Test yourself";
      guess.textContent = verdict;
    }

    return { show };
  },
};
