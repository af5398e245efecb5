// The tour: six stops, each a question before anything moves, an answer of one tap, and then what is seen.

import { calm, button } from "./controls.js";
import { make, method } from "./pictures.js";
import { initial } from "./state.js";

// before, after: the state in which it is asked, and the one that answers (moving α plays, where motion is welcome).
// right: which answer is. talk: for a class, once all have seen it.
const TOUR_STOPS = [
  {
    ask: "A network trained on digits will turn this noise into one. When does its guess, on the right, show which?",
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
    talk: "Row C needs the fewest steps. It also uses the D of the step before. Why does that help?",
  },
  {
    ask: "The network gets pure noise, but is told that α is 0.9. What does it see?",
    answers: ["the mean of all digits", "a clear digit", "about the noise itself"],
    right: 2,
    before: { view: "wrong", seed: 186, which: 0, made: 0, told: 0 },
    after: { told: 0.9 },
    seen: "About the noise itself. Told that this is nine tenths digit, it takes grain for ink. It never doubts α.",
    talk: "Read the matrix row by row. What does a lie do to a digit (last row), and what to noise (first row)?",
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
    ask: "A 4 with a gap and a stray dot is mixed with noise, which gets 85 %, and deblended. What comes?",
    answers: ["this drawing, dot included", "a 4 without these flaws", "some other digit"],
    right: 1,
    before: { view: "draw", seed: 186, which: 0, drawing: initial().drawing, blend: 1, back: false },
    after: { blend: 0.15 },
    seen: "A 4 without these flaws. At α = 0.6 there is less noise, and the dot stays. At 0.05 the 4 is replaced.",
    talk: "The network never saw a flawed digit. Why does it repair one?",
  },
  {
    ask: "Straight pairs can meet on their way. Particles that follow the mean of all pairs: can two of them meet?",
    answers: ["yes, they meet too", "no, never at the same α"],
    right: 1,
    before: { view: "shapes", seed: 186, start: "gaussian", target: "moons", alpha: 0, T: 128, deblending: "mean" },
    after: { alpha: 1 },
    seen: "No. One place at one α has one mean, and so one way on. And yet both fill the same target.",
    talk: "Set T to 2, 8, 32. With more steps a random path averages more pairs. Why not take the mean at once?",
  },
];

export class Tour {
  constructor(panel, app) {
    this.panel = panel;
    this.app = app;
  }

  // The view of a stop.
  static viewOf(stop) {
    return TOUR_STOPS[stop - 1]?.before.view;
  }

  // Shows the stop that the state names; after the last one, the method. `said` is the answer given, from 1 on.
  show({ stop, said: named }) {
    const said = TOUR_STOPS[stop - 1]?.answers[named - 1] ? named : 0;
    const key = `${stop},${said}`;
    if (key === this.shown) return;
    this.shown = key;
    this.panel.hidden = !stop;
    const asked = stop > 0 && stop <= TOUR_STOPS.length && !said;
    document.body.classList.toggle("asked", asked); // what would give the answer away is hidden
    document.body.classList.toggle("touring", stop > 0);
    if (stop) this.panel.replaceChildren(...this.content(stop, said));
    document.body.style.setProperty("--tour", `${this.panel.offsetHeight}px`); // so far the page can be scrolled up
  }

  content(number, said) {
    const leave = button("Leave (Esc)", () => this.leave(), { className: "quiet" });
    if (number > TOUR_STOPS.length) {
      const end = button("End of the tour", () => this.leave(), { className: "primary" });
      return [make("b", {}, "What you have seen, in four lines"), method(), make("div", { className: "row" }, end)];
    }
    const stop = TOUR_STOPS[number - 1], title = make("b", {}, `Stop ${number} of ${TOUR_STOPS.length}`);
    if (!said) {
      const answers = stop.answers.map((text, i) => button(`${i + 1} · ${text}`, () => this.answer(i + 1)));
      return [title, make("p", {}, stop.ask), make("div", { className: "row" }, ...answers, leave)];
    }
    const verdict = said - 1 === stop.right ? "✓ As you said. " : `✗ You said: ${stop.answers[said - 1]}. `;
    const next = button("Next (Enter)", () => this.go(number + 1), { className: "primary" });
    return [
      title,
      make("p", {}, make("b", {}, verdict), stop.seen),
      make("p", { className: "talk" }, make("b", {}, "For a class: "), stop.talk),
      make("div", { className: "row" }, next, leave),
    ];
  }

  // Its keys: 1, 2, 3 answer, Enter goes on, Escape leaves. Returns whether the key was one of these.
  key(event) {
    const { stop, said } = this.app.state;
    if (!stop) return false;
    const answers = TOUR_STOPS[stop - 1]?.answers.length ?? 0;
    const onControl = event.target.closest("button, a, [tabindex]");
    if (event.key === "Escape") this.leave();
    else if (!said && event.key >= "1" && event.key <= String(answers)) this.answer(+event.key);
    else if (event.key === "Enter" && !onControl && (said || !answers)) this.go(stop + 1);
    else return !said && /^[1-9]$/.test(event.key); // no other view may come under the question
    event.preventDefault();
    return true;
  }

  go(number) {
    this.app.pause();
    if (number > TOUR_STOPS.length + 1) return this.leave();
    if (!this.app.state.stop) this.before = this.app.state; // comes back at the end
    this.app.change({ ...TOUR_STOPS[number - 1]?.before, stop: number, said: 0 });
  }

  answer(said) {
    const { alpha, ...others } = TOUR_STOPS[this.app.state.stop - 1].after;
    this.app.change({ ...others, said });
    if (alpha && calm()) this.app.change({ alpha });
    else if (alpha) this.app.play();
  }

  leave() {
    this.app.change({ ...this.before, stop: 0, said: 0 });
    this.before = null;
  }
}
