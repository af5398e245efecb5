// Two shapes in the plane: a thousand points go from one to the other, along lines, by random and by mean deblending.

import { newest } from "../engine.js";
import { densityOf, drawPairs, matched, meanDistance, placesAt, trajectory } from "../plane.js";
import { GROUND, densityPicture, drawingField } from "../field.js";
import { make } from "../pictures.js";
import { alphaTrack, button, choices, playButton, slider } from "../controls.js";

// A panel in its own pixels: the square from −1 to 1 is 560 wide; it lies above at α = 0 and below at α = 1.
const WIDTH = 600, HEIGHT = 1140, HALF = 280, ABOVE = 290, TRAVEL = 560;
// From left to right in the start: blue, white, orange, told apart by every kind of eye.
const TINTS = Array.from({ length: 9 }, (_, k) => {
  const end = k < 4 ? [60, 150, 255] : [255, 150, 20], share = Math.abs(k - 4) / 4;
  return `rgb(${end.map(value => Math.round(245 + share * (value - 245))).join()})`;
});
const FOR_PROJECTOR = 1.8; // how much larger letters and lines are there
const LETTERS = "ABCDEFGH"; // of the particles whose paths are shown, from left to right in the start
const DEBLENDINGS = [
  ["lines", "Straight lines", "of the pairs: they cross"],
  ["random", "Random deblending", "(thin, white: mean)"],
  ["mean", "Mean deblending", "(none ever meet)"],
];
const pause = () => new Promise(resolve => setTimeout(resolve));
const ENDS = ["start", "target"], CURVE = Array.from({ length: 51 }, (_, i) => (i / 50) ** 2);

// One method's picture: both densities, all particles at α, and a few with paths and letters, `scale` times as large.
function paintPanel(canvas, alpha, { backs, tints, traced }, moments, beneath, scale) {
  const context = canvas.getContext("2d"), places = placesAt(moments, alpha);
  backs.forEach((picture, end) =>
    context.drawImage(picture, WIDTH / 2 - HALF, ABOVE - HALF + TRAVEL * end, 2 * HALF, 2 * HALF));
  const spot = (x, i, at) => [WIDTH / 2 + HALF * x[2 * i], ABOVE + TRAVEL * at - HALF * x[2 * i + 1]];
  const middle = ABOVE + TRAVEL * alpha;
  TINTS.forEach((tint, k) => {
    context.fillStyle = tint;
    tints.forEach((other, i) => { // no discs: squares of this size look alike and are painted much faster
      if (other !== k) return;
      context.fillRect(WIDTH / 2 + HALF * places[2 * i] - 2.5, middle - HALF * places[2 * i + 1] - 2.5, 5, 5);
    });
  });
  const draw = (path, i, upTo, colour, width) => {
    context.beginPath();
    path.forEach((x, t) => t / (path.length - 1) <= upTo && context.lineTo(...spot(x, i, t / (path.length - 1))));
    context.lineTo(...spot(placesAt(path, upTo), i, upTo));
    Object.assign(context, { strokeStyle: colour, lineWidth: scale * width, lineJoin: "round" });
    context.stroke();
  };
  for (const i of traced) {
    context.globalAlpha = 0.5; // what is still to come
    draw(moments, i, 1, TINTS[tints[i]], 2.5);
    context.globalAlpha = 1;
    draw(moments, i, alpha, GROUND, 8);
    draw(moments, i, alpha, TINTS[tints[i]], 5);
    if (beneath) draw(beneath, i, 1, "#fff", 2);
  }
  const font = `bold ${27 * scale}px system-ui, sans-serif`;
  Object.assign(context, { font, textAlign: "center", textBaseline: "middle" });
  traced.forEach((i, k) => {
    context.beginPath();
    context.arc(...spot(places, i, alpha), 20 * scale, 0, 2 * Math.PI);
    Object.assign(context, { fillStyle: TINTS[tints[i]], strokeStyle: GROUND, lineWidth: 4 });
    context.fill();
    context.stroke();
    context.fillStyle = GROUND;
    context.fillText(LETTERS[k], ...spot(places, i, alpha));
  });
}

// What the paths as a whole say: colours by where a particle started, and how well the ends match the target.
function described(densities, { lines, random, mean }) {
  const [x0] = lines, order = [...Array(x0.length / 2).keys()].sort((i, j) => x0[2 * i] - x0[2 * j]);
  const tints = [];
  order.forEach((i, rank) => (tints[i] = Math.floor((TINTS.length * rank) / order.length)));
  return {
    tints,
    traced: [...LETTERS].map((_, k) => order[Math.floor(((k + 0.5) * order.length) / LETTERS.length)]),
    backs: ENDS.map(name => densityPicture(densities[name], 90)),
    ends: [lines, random, mean].map(moments => matched(moments.at(-1), densities.target)),
    apart: alpha => meanDistance(placesAt(random, alpha), placesAt(mean, alpha)) / 2, // 1: the square's width
  };
}

export const shapes = {
  title: "Shapes",
  question: "Do random paths become smooth?",
  look: "Raise T: the random paths close in on the mean paths (thin, white), and both fill the target.",
  keys: "← → α · space plays · n new points · Tab to a square: arrows move, Enter paints",
  fields: ["start", "target", "seed", "alpha", "T", "deblending"],

  mount(root, app) {
    const fields = ENDS.map(name => drawingField(name, text => app.change({ [name]: text })));
    const panels = DEBLENDINGS.map(([name, title, more]) => {
      const canvas = make("canvas", { width: WIDTH, height: HEIGHT, role: "img" });
      const ends = make("span", { className: "ends" });
      const caption = make("figcaption", {},
        make("b", {}, title), " ", make("span", { className: "more" }, more), make("br"), ends);
      return { name, title, canvas, ends, element: make("figure", { className: "plane" }, canvas, caption) };
    });
    const track = alphaTrack(app, "α, from start (0) to target (1)");
    const words = make("p", { className: "words" });
    const exponents = { most: 7, step: 1, text: exponent => `T = ${Math.round(2 ** exponent)}` };
    const setT = slider("steps", exponents, exponent => app.change({ T: 2 ** exponent }));
    const names = DEBLENDINGS.map(([name]) => [name, name]);
    const setDeblending = choices("show", names, deblending => app.change({ deblending }));
    setDeblending.element.classList.add("which");
    const draw = () => app.change({ seed: (app.state.seed + 1) % 4294967296 });
    root.append(
      make("div", { className: "planes" },
        make("div", { className: "fields" }, ...fields.map(field => field.element)),
        ...panels.map(panel => panel.element)),
      words,
      track.element,
      make("div", { className: "row" },
        playButton(app), button("New points", draw, { "data-key": "n" }), setDeblending.element, setT.element),
    );

    // The paths of all particles, some steps at a time, so that the page never stops; shown once they are whole.
    // A short job is not given up for a newer one: else nothing would be shown as long as a hand draws.
    let made = {}, gone = false;
    const prepare = newest(async (densities, { seed, T }, outdated) => {
      const began = performance.now(), empty = ENDS.find(name => densities[name].empty);
      if (empty) return finish({ empty });
      const { x0, x1, uniform } = drawPairs(densities, seed), paths = { lines: [x0, x1], random: [], mean: [] };
      let since = began;
      for (const [name, chance] of [["mean", null], ["random", uniform]]) {
        for (const x of trajectory(x0, T, densities, chance)) {
          paths[name].push(x);
          if (performance.now() - since < 12) continue;
          await pause();
          since = performance.now();
          if (gone || (outdated() && since - began > 200)) return;
        }
      }
      const found = { T, paths, ...described(densities, paths) };
      await pause();
      if (!gone) finish(found, outdated());
    });

    function finish(found, more = false) {
      made = found;
      // From the slider's own line, which is at 0.28, up to a third of the square's width.
      const curve = made.paths ? CURVE.map(alpha => [alpha, 0.28 + 0.72 * Math.min(1, 3 * made.apart(alpha))]) : [];
      track.draw(curve, [], "how far random and mean are apart");
      root.classList.toggle("busy", more);
      paint(app.state);
    }

    function told(alpha) {
      if (made.empty) return `The ${made.empty} is empty: draw something in its square, or choose a shape.`;
      if (alpha === 0) return "The same thousand points in all three pictures. Press Play, or drag α.";
      const apart = Math.round(100 * made.apart(alpha));
      const width = " % of the square’s width apart on average (the curve)";
      if (alpha < 1) return `Random and mean are now ${apart}${width}.`;
      const [fresh, random, mean] = made.ends, fills = match => match > fresh - 0.06;
      const yet = `With T = ${made.T} the mean does not fill the target`;
      if (!fills(mean)) return fills(random) ? `${yet}; random deblending does.` : `${yet}.`;
      return "Random and mean both fill the target as well as fresh points.";
    }

    function paint({ alpha, present }) {
      track.set(alpha);
      panels.forEach(({ name, title, canvas, ends }, i) => {
        const context = canvas.getContext("2d");
        context.fillStyle = GROUND;
        context.fillRect(0, 0, WIDTH, HEIGHT);
        const beneath = name === "random" && made.paths?.mean, scale = present ? FOR_PROJECTOR : 1;
        if (made.paths) paintPanel(canvas, alpha, made, made.paths[name], beneath, scale);
        const whose = i ? "target matched" : "fresh points";
        ends.textContent = made.paths ? `${whose}: ${Math.round(100 * made.ends[i])} %` : "";
        const said = made.paths ? `a thousand points at α = ${alpha.toFixed(2)}, ${ends.textContent}` : "nothing yet";
        canvas.setAttribute("aria-label", `${title}: ${said}`);
      });
      if (!made.paths && !made.empty) return;
      words.textContent = told(alpha);
      app.say(words.textContent);
    }

    let wanted = "", shown = {}, densities = {};
    function show(state) {
      ENDS.forEach((name, i) => {
        if (shown[name] === state[name]) return;
        densities = { ...densities, [name]: densityOf(state[name]) };
        fields[i].set(state[name], densities[name]);
      });
      shown = state;
      setT.set(Math.log2(state.T));
      setDeblending.set(state.deblending);
      panels.forEach(({ name, element }) => element.classList.toggle("chosen", name === state.deblending));
      const settings = [state.start, state.target, state.seed, state.T].join();
      if (settings !== wanted) {
        root.classList.add("busy");
        prepare(densities, state);
      }
      wanted = settings;
      paint(state);
    }
    return { show, leave: () => (gone = true) };
  },
};
