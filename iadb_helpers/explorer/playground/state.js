// What the page shows, as one flat object, and as the address after "#": whoever opens the link sees the same moment.

import { isShape } from "./plane.js";
import { METHOD_NAMES, SCHEDULES } from "./sampling.js";

// A field reads its value from text (undefined: it cannot) and writes it as text.
const number = (initial, least, most, digits = 0) => ({
  initial,
  read: text => ((digits ? /^\d+(\.\d+)?$/ : /^\d+$/).test(text) && +text >= least && +text <= most
    ? +(+text).toFixed(digits) : undefined),
  write: value => String(+value.toFixed(digits)),
});
const choice = (initial, names) => ({
  initial,
  read: text => (names.includes(text) ? text : undefined),
  write: name => name,
});
const flag = initial => ({
  initial,
  read: text => ["0", "1", ""].includes(text) ? text !== "0" : undefined, // "" as in #present
  write: value => (value ? "1" : "0"),
});
// Letters that a link carries as they are; what they mean is told by strokesOf and touchedNoise.
const coded = (initial, pattern, most) => ({
  initial,
  read: text => (pattern.test(text) && text.length <= most ? text : undefined),
  write: text => text,
});

// A density of the plane: a preset's name, or a drawing.
const shapeText = initial => ({ initial, read: text => (isShape(text) ? text : undefined), write: text => text });

// The most letters that a drawing and the touches of a noise may take in a link.
export const DRAWING_LETTERS = 600, TOUCH_LETTERS = 180;

export const STEP_COUNTS = [1, 2, 4, 8, 16, 32, 64, 128];

export const FIELDS = {
  seed: number(186, 0, 4294967295), // of the noise; this one leads to sixteen digits that are easily read
  which: number(0, 0, 15), // of the sixteen digits
  alpha: number(0, 0, 1, 4),
  T: { ...number(16, 1, 128), read: text => STEP_COUNTS.find(T => String(T) === text) },
  method: choice("ab2", METHOD_NAMES),
  schedule: choice("early", Object.keys(SCHEDULES)),
  guided: flag(true),
  machinery: flag(false), // whether x̄₀ and D are shown
  start: shapeText("gaussian"), // of Shapes: a density
  target: shapeText("moons"), // of Shapes: the other
  deblending: choice("random", ["lines", "random", "mean"]), // of Shapes, where there is room for one picture only
  doublings: number(1, 0, 7), // of Steps: T = 2 ** doublings
  all: flag(false), // of Steps: whether also the columns with more steps are open
  pushed: flag(false), // of Steps: whether its paths are guided
  made: number(0, 0, 1, 2), // of Wrong: the true α
  told: number(0.9, 0, 1, 2), // of Wrong: the α that the network is told
  // of Draw: its strokes, a 4 with two flaws at first
  drawing: coded("ZMXSUaShZihh.qOpVobmm.lvk1.0y", /^([\w-]{2}(\.?[\w-]{2})*)?$/, DRAWING_LETTERS),
  blend: number(0.15, 0, 1, 2), // of Draw: the α at which the drawing is blended with noise
  back: flag(false), // of Draw: whether the drawing is led back to its noise
  touched: coded("", /^([A-Za-f]{2}[a-i])*$/, TOUCH_LETTERS), // of Touch: what was done to the noise
  brush: choice("a", [..."abcdefghi"]), // of Touch: size and change
  walking: flag(false), // of Touch: whether it goes between two noise samples
  walk: number(0, 0, 1, 3), // of Touch: how far from one to the other
  present: flag(false), // for a projector: large type, keys only
  stop: number(0, 0, 7), // of the tour; 0: none, 7: its end
  said: number(0, 0, 3), // of the tour: the answer given at this stop; 0: none yet
};

export const initial = () => Object.fromEntries(Object.entries(FIELDS).map(([name, field]) => [name, field.initial]));

// Changes as a link would bring them back, so that what is shown is what the link shows.
export const rounded = changes => Object.fromEntries(Object.entries(changes).map(([name, value]) =>
  [name, name === "view" ? value : FIELDS[name].read(FIELDS[name].write(value))]));

// The state in an address, and the names of what could not be read there and stays as it is at first.
export function read(hash, views) {
  const state = { ...initial(), view: Object.keys(views)[0] }, damaged = [];
  for (const [name, text] of new URLSearchParams(hash.replace(/^#/, ""))) {
    const known = Object.hasOwn(FIELDS, name) ? FIELDS[name].read(text) : undefined;
    const value = name === "view" && Object.hasOwn(views, text) ? text : known;
    if (value === undefined) damaged.push(name);
    else state[name] = value;
  }
  return { state, damaged };
}

// The address of a state: its view and what that view makes use of.
export function write(state, views) {
  const everywhere = ["present", "stop", "said"].filter(name => state[name]);
  const parts = [...views[state.view].fields, ...everywhere].map(name => `${name}=${FIELDS[name].write(state[name])}`);
  return `#${[`view=${state.view}`, ...parts].join("&")}`;
}
