// The tour: six stops, each a question before anything moves, an answer of one tap, and then what is seen.

import { calm, button } from "./controls.js";
import { make } from "./pictures.js";
import { initial } from "./state.js";

// before, after: the state in which it is asked, and the one that answers (moving α plays, where motion is welcome).
// right: which answer is. talk: for a class, once all have seen it.
const TOUR_STOPS = [
  {
    ask: "Left is pure noise, and nothing else goes in. When can you read the digit in the right picture?",
    answers: ["long before the left one", "when the left one shows it", "at the very end"],
    right: 0,
    before: {
      view: "scrub", seed: 186, which: 0, alpha: 0, T: 16, method: "ab2", schedule: "early", guided: true,
      machinery: false,
    },
    after: { alpha: 1 },
    seen: "At α = 0.1 the left picture is still grain to your eye, and the right one is a 2. Drag α back and look.",
    talk: "Nothing is drawn after the noise, so the noise decides the digit. Where in the noise is the 2?",
  },
  {
    ask: "One single step leads from the noise to the end: T = 1. What comes out?",
    answers: ["a sharp digit", "a blur of many digits", "noise again"],
    right: 1,
    before: { view: "steps", seed: 1, which: 9, doublings: 0, all: false, pushed: false },
    after: { all: true },
    seen: "A blur: at α = 0 the best guess is the mean of all digits. Each further step asks again, and knows more.",
    talk: "Row C needs the fewest steps, and no more evaluations a step. What does it know that A forgets?",
  },
  {
    ask: "The network gets pure noise, but is told that α is 0.9. What does it see?",
    answers: ["the mean of all digits", "a clear digit", "about the noise itself"],
    right: 2,
    before: { view: "wrong", seed: 186, which: 0, made: 0, told: 0 },
    after: { told: 0.9 },
    seen: "About the noise itself. Told that this is nine tenths digit, it takes grain for ink. It never doubts α.",
    talk: "And a digit that is called 0.1? Guess first, then press the second button.",
  },
  {
    ask: "One pixel of the noise is changed, of 1,024. What becomes of the digit?",
    answers: ["mostly another digit", "mostly the same digit, a little bent", "only that pixel changes"],
    right: 1,
    before: { view: "touch", seed: 186, which: 0, touched: "", brush: "a", walking: false },
    after: { touched: "PPa" },
    seen: "Mostly the same digit, but more than a pixel of it has changed. In 109 of 600 tries it became another.",
    talk: "Can you find the pixel that turns this 2 into something else? Larger brushes make it easy: why?",
  },
  {
    ask: "A drawn 4 has a gap and a stray dot. It is drowned in noise, α = 0.15, and deblended. What comes back?",
    answers: ["this drawing, dot included", "a 4 without these flaws", "some other digit"],
    right: 1,
    before: { view: "draw", seed: 186, which: 0, drawing: initial().drawing, blend: 1, back: false },
    after: { blend: 0.15 },
    seen: "A 4 without these flaws. With less noise, α = 0.6, the dot stays; at α = 0.05 the 4 is replaced. Try.",
    talk: "The network never saw a flawed digit. Why does it repair one?",
  },
  {
    ask: "On the left, pairs go straight, and can meet. On the right, each follows the mean. Can two of these meet?",
    answers: ["yes, they meet too", "no, never at the same α"],
    right: 1,
    before: { view: "shapes", seed: 186, start: "gaussian", target: "moons", alpha: 0, T: 128, deblending: "mean" },
    after: { alpha: 1 },
    seen: "No. One place at one α has one mean, and so one way on. And yet both fill the same target.",
    talk: "Set T to 2, 8, 32: what happens to the random paths in the middle? That is the whole idea of the method.",
  },
];

export class Tour {
  constructor(panel, app) {
    this.panel = panel;
    this.app = app;
  }

  // Shows the stop that the state names. `said` is the answer given there, from 1 on; 0: none yet.
  show({ stop, said }) {
    const key = `${stop},${said}`;
    if (key === this.shown) return;
    this.shown = key;
    this.panel.hidden = !stop;
    document.body.classList.toggle("asked", stop > 0 && !said); // what would give the answer away is hidden
    if (stop) this.panel.replaceChildren(...this.content(TOUR_STOPS[stop - 1], stop, said));
  }

  content(stop, number, said) {
    const title = make("b", {}, `Stop ${number} of ${TOUR_STOPS.length}`);
    const leave = button("Leave", () => this.leave(), { className: "quiet" });
    if (!said) {
      const answers = stop.answers.map((text, i) => button(text, () => this.answer(stop, i + 1)));
      return [title, make("p", {}, stop.ask), make("div", { className: "row" }, ...answers, leave)];
    }
    const right = said - 1 === stop.right;
    const last = number === TOUR_STOPS.length;
    const goOn = () => (last ? this.leave() : this.go(number + 1));
    const next = button(last ? "End of the tour" : "Next stop", goOn, { className: "primary" });
    return [
      title,
      make("p", {}, make("b", {}, right ? "✓ As you said. " : `✗ You said: ${stop.answers[said - 1]}. `), stop.seen),
      make("p", { className: "talk" }, make("b", {}, "For a class: "), stop.talk),
      make("div", { className: "row" }, next, leave),
    ];
  }

  go(number) {
    this.app.pause();
    this.app.change({ ...TOUR_STOPS[number - 1].before, stop: number, said: 0 });
    this.panel.querySelector("button").focus();
  }

  answer(stop, said) {
    const { alpha, ...others } = stop.after;
    this.app.change({ ...others, said });
    if (alpha && calm()) this.app.change({ alpha });
    else if (alpha) this.app.play();
    this.panel.querySelector("button").focus();
  }

  leave() {
    this.app.change({ stop: 0, said: 0 });
  }
}
