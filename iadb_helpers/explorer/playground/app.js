// The page: its views, its state in the address, its keys, and what moves by itself.

import { Engine } from "./engine.js";
import { interface_ } from "./interface.js";
import { Player, button, calm } from "./controls.js";
import { make } from "./pictures.js";
import { initial, read, rounded, write } from "./state.js";
import { scrub } from "./views/scrub.js";
import { steps } from "./views/steps.js";
import { draw } from "./views/draw.js";
import { touch } from "./views/touch.js";
import { wrong } from "./views/wrong.js";
import { shapes } from "./views/shapes.js";
import { Tour } from "./tour.js";

const VIEWS = { scrub, steps, draw, touch, wrong, shapes };
const PLAYING = 7; // seconds in which α goes from 0 to 1

class App {
  constructor(root, engine) {
    this.engine = engine;
    this.writing = null;
    this.root = root;
    this.player = new Player(alpha => this.change({ alpha }), () => this.showPlaying());
    this.live = root.querySelector("#live");
    this.tabs = Object.entries(VIEWS).map(([name, view], i) => {
      const tab = make("a", { href: `#view=${name}`, title: `${view.question} (key ${i + 1})` }, view.title);
      tab.addEventListener("click", event => {
        if (event.ctrlKey || event.metaKey || event.shiftKey) return; // a tab of its own
        event.preventDefault();
        this.pause();
        this.change({ view: name });
      });
      return [name, tab];
    });
    root.querySelector("nav").append(...this.tabs.map(([, tab]) => tab));
    root.querySelector("#doors").append(
      button("Tour", () => (this.state.stop ? this.tour.leave() : this.tour.go(1)), { "data-key": "t" }),
      button("Present", () => this.change({ present: !this.state.present }), { "data-key": "p" }),
    );
    this.tour = new Tour(root.querySelector("#tour"), this);
    addEventListener("hashchange", () => this.open());
    addEventListener("keydown", event => this.key(event));
    document.addEventListener("visibilitychange", () => document.hidden && this.pause());
    this.open();
  }

  // Shows what the address says.
  open() {
    this.pause();
    if (history.state) return this.show({ ...initial(), ...history.state }); // also what the address does not name
    const { state, damaged } = read(location.hash, VIEWS);
    this.show({ ...state, view: Tour.viewOf(state.stop) ?? state.view });
    const names = [...new Set(damaged)].slice(0, 5).map(name => name.slice(0, 20)).join(", ");
    if (damaged.length) this.notice(`Parts of this link were not understood (${names}): defaults are shown there.`);
  }

  // Changes the state, what is shown, and the address.
  change(changes) {
    const before = this.state;
    if (this.writing && changes.view && changes.view !== before.view) this.writeAddress(false); // what Back leads to
    this.show({ ...this.state, ...rounded(changes) });
    if (before.view !== this.state.view) this.writeAddress(true);
    else this.writing ??= setTimeout(() => this.writeAddress(false), 250); // browsers refuse one with every frame
  }

  writeAddress(asPage) {
    clearTimeout(this.writing);
    this.writing = null;
    const address = write(this.state, VIEWS);
    if (address === location.hash) return;
    try {
      history[asPage ? "pushState" : "replaceState"](this.state, "", address);
    } catch { // a page within another may not change its address; all else goes on
    }
  }

  show(state) {
    const entered = this.state?.view !== state.view;
    this.state = state;
    document.body.classList.toggle("present", state.present);
    if (entered) this.enter(VIEWS[state.view]);
    this.shown.show(state);
    this.tour.show(state);
  }

  enter(view) {
    this.shown?.leave?.();
    this.root.querySelector("h2").textContent = view.question;
    this.root.querySelector("#look").textContent = view.look;
    this.root.querySelector("#keys").textContent = `${view.keys} · 1–6 views · t tour · p leaves this mode`;
    this.notice("");
    for (const [name, tab] of this.tabs) tab.setAttribute("aria-current", VIEWS[name] === view ? "page" : "false");
    this.stage = make("div", { className: `view ${this.state.view}` });
    this.root.querySelector("#view").replaceChildren(this.stage);
    this.shown = view.mount(this.stage, this.forView());
    this.showPlaying();
  }

  // What a view may use. Once it is left it gets no answers, and so it asks no more.
  forView() {
    const app = this, mine = (this.mounted = {});
    const ask = name => (...values) => new Promise((resolve, reject) => {
      if (app.mounted !== mine) return;
      app.engine[name](...values).then(result => app.mounted === mine && resolve(result), reject);
    });
    return {
      engine: { tangents: ask("tangents"), classify: ask("classify") },
      player: app.player,
      get state() {
        return app.state;
      },
      change: changes => app.change(changes),
      say: text => app.say(text),
      notice: text => app.notice(text),
      play: seconds => app.play(seconds),
      pause: () => app.pause(),
    };
  }

  // For those who cannot see the pictures: a sentence, read when it has stood for a moment.
  say(text) {
    clearTimeout(this.saying);
    this.saying = setTimeout(() => (this.live.textContent = text), 400);
  }

  // One line below the question, for everybody.
  notice(text) {
    this.root.querySelector("#notice").textContent = text;
  }

  play(seconds = PLAYING) {
    this.player.start(this.state.alpha, seconds);
  }

  // Moves once by itself, rests two seconds on the digit, and goes where the left picture is noise and the right one is
  // the digit: what there is to find.
  introduce() {
    this.play();
    document.body.classList.add("inviting");
    const next = setTimeout(() => this.change({ alpha: 0.1 }), 1000 * (PLAYING + 2));
    for (const event of ["pointerdown", "keydown"]) {
      addEventListener(event, () => {
        clearTimeout(next);
        document.body.classList.remove("inviting");
      }, { once: true });
    }
  }

  pause() {
    this.player.stop();
  }

  showPlaying() {
    for (const element of this.root.querySelectorAll(".play")) {
      element.firstChild.textContent = this.player.running ? "Pause" : "Play";
    }
  }

  // A control's key is written on it: a click and the key do the same.
  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const typing = event.target.closest?.("select, input:not([type=range], [type=checkbox])");
    const onControl = event.target.closest?.("button, a, select, input, [tabindex]");
    const onSlider = event.target.closest?.("input[type=range], [tabindex]");
    if (typing || this.tour.key(event)) return;
    const main = this.stage.querySelector("input.main");
    const arrow = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (arrow && main && (!onSlider || event.target === main)) {
      main.valueAsNumber += arrow * (event.shiftKey ? 5 : 1) * Math.max(main.step, (main.max - main.min) / 50);
      main.dispatchEvent(new Event("input", { bubbles: true }));
    } else if (event.key === " " && onControl && !event.target.matches("input[type=range]")) {
      return; // the control's own
    } else if (event.repeat) {
      return;
    } else if (VIEWS[Object.keys(VIEWS)[event.key - 1]]) {
      this.change({ view: Object.keys(VIEWS)[event.key - 1] });
    } else {
      const key = event.key.toLowerCase(), keyed = [...this.root.querySelectorAll("[data-key]")];
      const named = keyed.find(each => each.dataset.key === key);
      if (!named) return;
      named.click();
    }
    event.preventDefault();
  }
}

// Called by the page once its script has run. packed: the networks, as packing.py has packed them.
export async function start(packed, workerSource) {
  const worker = new Worker(URL.createObjectURL(new Blob([workerSource], { type: "text/javascript" })));
  const engine = new Engine(worker);
  worker.postMessage(packed);
  await engine.ready;
  document.getElementById("still").hidden = true;
  const app = new App(document.body, engine);
  window.iadb = interface_(engine, () => app.pause());
  addEventListener("unhandledrejection", ({ reason }) => {
    if (/worker/.test(reason?.message)) app.notice("The network has stopped. Reload the page.");
  });
  if (!location.hash && !calm()) app.introduce();
}
