// Elements and pictures: what every view is made of.

import { PIXELS, SIDE, toDisplay } from "./network.js";

// An element with properties and children; names with a dash or "role" are attributes. Text is never read as HTML.
export function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.includes("-") || name === "role") element.setAttribute(name, value);
    else element[name] = value;
  }
  element.append(...children);
  return element;
}

// A symbol of the text, with its index below the line: x_α, x̄₁.
export function symbol(text) {
  const [letter, index] = text.split("_");
  return make("i", {}, letter, ...(index ? [make("sub", {}, index)] : []));
}

// The method in four lines, as the tour ends with it and the machinery begins.
export function method() {
  const line = (formula, meaning) => make("p", {}, make("b", {}, formula), ` ${meaning}`);
  return make("div", { className: "method" },
    line("x = (1 − α) · noise + α · digit.", "Blending: α is the digit's share."),
    line("D(x, α)", "is what a network, trained on handwritten digits, returns: its average guess of digit − noise."),
    line("x̄₁ = x + (1 − α) · D", "is the average of all digits that could be in x."),
    line("Start at noise; T times: x ← x + D(x, α) / T, α ← α + 1 / T.", "That is the sampler."),
    make("p", {}, "Scrub opens with a quicker form: 16 steps, more of them early, which also use the last step's D " +
      "(Adams and Bashforth's method), and guided, that is, pushed away from a cruder guess."));
}

// A picture of 32 × 32 pixels, symbol and meaning below; `paint` gives it pixels, and a screen reader its words.
export class Picture {
  constructor(mark, meaning, { signed = false } = {}) {
    this.canvas = make("canvas", { width: SIDE, height: SIDE, role: "img", className: "picture" });
    this.caption = make("figcaption", {}, ...(mark ? [symbol(mark), " "] : []), make("span", {}, meaning));
    this.element = make("figure", {}, this.canvas, this.caption);
    this.meaning = meaning;
    this.colours = signed ? signedColours : greys;
  }

  paint(pixels, said = "") {
    put(this.canvas, pixels, this.colours);
    this.canvas.setAttribute("aria-label", [this.meaning, said].filter(Boolean).join(", "));
  }
}

function put(canvas, pixels, colours) {
  const context = canvas.getContext("2d"), image = context.createImageData(SIDE, SIDE);
  for (let i = 0; i < PIXELS; i++) image.data.set(colours(pixels[i]), 4 * i);
  context.putImageData(image, 0, 0);
}

// A picture on any canvas of 32 × 32.
export const greyscale = (canvas, pixels) => put(canvas, pixels, greys);

function greys(value) {
  const grey = Math.round(255 * toDisplay(value));
  return [grey, grey, grey, 255];
}

// How far two pictures are from each other as they are displayed: the mean over the pixels, in grey levels of 255.
// Rounded as it is shown, so that words chosen by it never contradict it.
export function greyLevels(x, y) {
  const sum = x.reduce((total, value, i) => total + Math.abs(toDisplay(value) - toDisplay(y[i])), 0);
  return +((255 * sum) / PIXELS).toFixed(1);
}

// How much of the ink of y is other in x, in percent; over 100 where most of it is elsewhere.
export function inkChanged(x, y) {
  const sum = values => values.reduce((total, value) => total + value, 0);
  const [inkX, inkY] = [x, y].map(pixels => Array.from(pixels, toDisplay));
  return Math.round((100 * sum(inkX.map((ink, i) => Math.abs(ink - inkY[i])))) / Math.max(1, sum(inkY)));
}

// Light orange adds ink, dark blue takes it away, grey does nothing: told apart by every kind of eye and in grey print,
// on a light and on a dark page. x₁ − x₀ seldom leaves ±7.
export function signedColours(value) {
  const size = Math.min(1, Math.abs(value) / 7) ** 0.7;
  return (value > 0 ? [255, 200, 110] : [10, 40, 110]).map(end => Math.round(118 + (end - 118) * size)).concat(255);
}

// Ten bars: how sure the classifier is of each class.
export class Bars {
  constructor(meaning) {
    this.bars = Array.from({ length: 10 }, () => make("div", { className: "bar" }, make("span")));
    const rows = this.bars.map((bar, digit) => make("div", { className: "class" }, bar, make("b", {}, String(digit))));
    this.rows = make("div", { className: "bars", role: "img" }, ...rows);
    this.element = make("figure", { className: "sure" }, this.rows, make("figcaption", {}, meaning));
  }

  paint(shares) {
    const most = mostLikely(shares);
    shares.forEach((share, digit) => {
      this.bars[digit].firstChild.style.height = `${100 * share}%`;
      this.bars[digit].parentNode.classList.toggle("most", digit === most && share > 0.5);
    });
    this.rows.setAttribute("aria-label", surely(shares));
  }
}

export const mostLikely = shares => shares.indexOf(Math.max(...shares));

const article = digit => `${digit === 8 ? "an" : "a"} ${digit}`;

// What the ten numbers say, in words.
export function surely(shares) {
  const most = mostLikely(shares), percent = Math.round(100 * shares[most]);
  return `the classifier ${percent > 50 ? "sees" : "is unsure, at most"} ${article(most)} (${percent} %)`;
}

// What a classifier sees before and after, by its ten numbers.
export function classes(before, after) {
  const [was, is] = [before, after].map(shares => (Math.max(...shares) > 0.5 ? article(mostLikely(shares)) : "unsure"));
  return was === is && is !== "unsure" ? `Classifier: still ${is}.` : `Classifier: before ${was}, after ${is}.`;
}
