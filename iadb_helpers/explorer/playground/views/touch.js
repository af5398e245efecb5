// The noise under the reader's finger: what one pixel of it does to the digit, and what lies between two noise samples.

import { newest } from "../engine.js";
import { PIXELS, SIDE } from "../network.js";
import { nextNoise, noise, x0Of } from "../noise.js";
import { GUIDANCE, path } from "../sampling.js";
import { TOUCH_LETTERS } from "../state.js";
import { Bars, Picture, classes, inkChanged, make, surely } from "../pictures.js";
import { button, field, segments, slider, strip } from "../controls.js";

// A touch is three letters in a link: its column, its row, and the brush, one of three sizes with one of three changes.
const BRUSH_SIZES = [1, 3, 7], BRUSH_CHANGES = ["+3", "−3", "new noise"], BRUSHES = "abcdefghi";
const PLACES = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdef";
const FRESH = 2147483648; // the seed of what "new noise" puts first

// How often each brush led to another class, of 600 times: 100 noise samples, six places each among the middle 20 × 20
// pixels (benchmarks/touch.py).
const OTHER_CLASS = [109, 66, 34, 310, 235, 113, 440, 384, 246];

const brushOf = letter => [BRUSH_SIZES[Math.floor(BRUSHES.indexOf(letter) / 3)], BRUSHES.indexOf(letter) % 3];
const touchesOf = text => text.match(/.../g) ?? [];

// The noise after its touches, and how many pixels of it they have met.
export function touchedNoise(x0, text) {
  const x = x0.slice(), met = new Set();
  touchesOf(text).forEach((touch, number) => {
    const [column, row] = [...touch].map(letter => PLACES.indexOf(letter)), [size, change] = brushOf(touch[2]);
    const fresh = change === 2 && noise(FRESH + number, 1), reach = (size - 1) / 2;
    for (let i = 0; i < PIXELS; i++) {
      if (Math.max(Math.abs((i % SIDE) - column), Math.abs(Math.floor(i / SIDE) - row)) > reach) continue;
      x[i] = fresh ? fresh[i] : x[i] + [3, -3][change];
      met.add(i);
    }
  });
  return { x, pixels: met.size };
}

// Between two noise samples, on the arc of a circle about 0, as slerp has it. Halfway along the straight line the noise
// would have a deviation of 0.7 only, and the network has never seen noise as weak. The line's point is stretched, and
// no angle computed: the same arc at nearly the same pace, and the same numbers in every browser.
export function alongArc(a, b, share) {
  const length = x => Math.sqrt(x.reduce((sum, value) => sum + value * value, 0));
  const line = a.map((value, i) => (1 - share) * value + share * b[i]);
  const stretch = ((1 - share) * length(a) + share * length(b)) / length(line);
  return line.map(value => value * stretch);
}

const ON_THE_WAY = Array.from({ length: 9 }, (_, i) => i / 8);

export const touch = {
  title: "Touch",
  question: "What does one pixel of the noise do to the digit?",
  look: "Tap the noise and watch the digit, or walk from one noise sample to the next.",
  keys: "n new noise · u undo · c clear · Tab to the noise: arrows move, Enter touches",
  fields: ["seed", "which", "T", "method", "schedule", "guided", "touched", "brush", "walking", "walk"],

  mount(root, app) {
    const x0 = new Picture("x_0", "the noise: tap it");
    const plain = new Picture("x_1", "untouched"), other = new Picture("x_1", "touched");
    const difference = new Picture("", "light: new ink, dark: gone", { signed: true });
    const onArc = new Picture("x_0", "between A and B"), digit = new Picture("x_1", "its digit");
    const bars = new Bars("how sure a classifier is of it");
    const board = field(app, x0, SIDE, "the noise: arrow keys move, Space or Enter touches", { press });
    const marks = make("div", { "aria-hidden": "true" });
    board.element.append(marks);
    const mode = segments("mode", [[false, "Touch"], [true, "Walk from A to B"]], walking => app.change({ walking }));
    const setSize = segments("size", BRUSH_SIZES.map((size, i) => [i, `${size} × ${size}`]),
      i => app.change({ brush: BRUSHES[3 * i + (BRUSHES.indexOf(app.state.brush) % 3)] }));
    const setChange = segments("change", BRUSH_CHANGES.map((name, i) => [i, name]),
      i => app.change({ brush: BRUSHES[i + 3 * Math.floor(BRUSHES.indexOf(app.state.brush) / 3)] }));
    const setWalk = slider("from A to B", {}, walk => app.change({ walk }));
    const stops = strip("digits on the way", ON_THE_WAY.map((_, i) => ["A", "B"][i / 8] ?? `${i}/8`),
      i => app.change({ walk: ON_THE_WAY[i] }));
    const words = make("p", { className: "words" }), tried = make("p", { className: "note" });
    const said = make("p", { className: "words" });
    const touching = make("div", { className: "bench" },
      x0.element, plain.element, other.element, difference.element,
      make("div", { className: "row" }, setSize.element, setChange.element,
        button("Undo", () => leave(app.state.touched.slice(0, -3)), { "data-key": "u" }),
        button("Clear", () => leave(""), { "data-key": "c" })),
      words, tried);
    const walking = make("div", { className: "walking" },
      make("div", { className: "pictures" }, onArc.element, digit.element, bars.element),
      setWalk.element, said, stops.element);
    root.append(
      make("div", { className: "row" }, mode.element,
        button("New noise", () => app.change(nextNoise(app.state)), { "data-key": "n" })),
      touching, walking);

    function press(x, y) {
      const touched = app.state.touched + PLACES[x] + PLACES[y] + app.state.brush;
      if (touched.length <= TOUCH_LETTERS) app.change({ touched });
      else app.notice(`A link carries ${TOUCH_LETTERS / 3} touches and no more. Undo, or clear.`);
    }

    // A frame around what a touch has changed.
    function mark(touch) {
      const [size] = brushOf(touch[2]), element = make("div", { className: "mark" });
      const [left, top] = [...touch].map(letter => `${(100 * (PLACES.indexOf(letter) - (size - 1) / 2)) / SIDE}%`);
      Object.assign(element.style, { left, top, width: `${(100 * size) / SIDE}%` });
      return element;
    }

    function leave(touched) {
      app.notice("");
      app.change({ touched });
    }

    const end = async (state, start, outdated) => {
      const tangents = (x, alpha) => app.engine.tangents(x, alpha, state.guided ? GUIDANCE : 0);
      return (await path(tangents, start, { ...state, from: 0, steps: state.T }, outdated))?.at(-1).x;
    };

    // The digit of the untouched noise is kept while the noise stays.
    let source = "", untouched = null, onTheWay = [];
    async function compare(state, outdated) {
      const start = x0Of(state), { x: changedStart, pixels } = touchedNoise(start, state.touched), mine = source;
      const before = untouched ?? (await end(state, start, outdated));
      if (!before) return;
      if (mine === source) untouched = before;
      const after = pixels ? await end(state, changedStart, outdated) : before;
      if (!after || outdated()) return;
      const [sharesBefore, sharesAfter] = [await app.engine.classify(before), await app.engine.classify(after)];
      if (outdated()) return;
      plain.paint(before, surely(sharesBefore));
      other.paint(after, surely(sharesAfter));
      difference.paint(after.map((value, i) => value - before[i]));
      words.textContent = pixels
        ? `Touched: ${pixels} of 1,024 pixels. ${inkChanged(after, before)} % of the ink has changed. ` +
          classes(sharesBefore, sharesAfter)
        : "Nothing is touched yet, so both digits are the same. Guess first: will one pixel matter?";
      app.say(words.textContent);
    }

    async function walkOn(state, outdated) {
      const [a, b] = [x0Of(state), x0Of({ ...state, ...nextNoise(state) })], mine = onTheWay;
      const x = await end(state, alongArc(a, b, state.walk), outdated);
      if (!x) return;
      const shares = await app.engine.classify(x);
      if (outdated()) return;
      digit.paint(x, surely(shares));
      bars.paint(shares);
      said.textContent = `At ${state.walk.toFixed(2)} of the way from A to B, ${surely(shares)}.`;
      app.say(said.textContent);
      for (const [i, share] of ON_THE_WAY.entries()) {
        if (mine[i]) continue;
        mine[i] = await end(state, alongArc(a, b, share), outdated);
        if (outdated()) return;
        stops.paint(i, mine[i]);
      }
    }
    const follow = newest(async (state, outdated) => {
      await (state.walking ? walkOn : compare)(state, outdated);
      if (!outdated()) root.setAttribute("aria-busy", "false");
    });

    function show(state) {
      const [size, change] = brushOf(state.brush), start = x0Of(state);
      root.setAttribute("aria-busy", "true");
      const settings = [state.seed, state.which, state.T, state.method, state.schedule, state.guided].join();
      if (settings !== source) {
        [source, untouched, onTheWay] = [settings, null, []];
        stops.clear();
      }
      mode.set(state.walking);
      setSize.set(BRUSH_SIZES.indexOf(size));
      setChange.set(change);
      setWalk.set(state.walk);
      setWalk.input.classList.toggle("main", state.walking);
      stops.set(ON_THE_WAY.indexOf(state.walk));
      board.size(size);
      marks.replaceChildren(...touchesOf(state.touched).map(mark));
      touching.hidden = state.walking;
      walking.hidden = !state.walking;
      x0.paint(touchedNoise(start, state.touched).x, state.touched ? "touched" : "untouched");
      if (state.walking) onArc.paint(alongArc(start, x0Of({ ...state, ...nextNoise(state) }), state.walk));
      tried.textContent = `Tried for 100 noise samples at six places each: ${BRUSH_CHANGES[change]} on ${size} × ` +
        `${size} pixels led to another class ${OTHER_CLASS[BRUSHES.indexOf(state.brush)]} times in 600.`;
      follow(state);
    }

    return { show };
  },
};
