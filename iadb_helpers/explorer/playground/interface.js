// window.iadb: the network for tests and for the curious. It takes and promises Float32Arrays of n × 1024 numbers in
// the model's range.

import { PIXELS } from "./network.js";
import { noise } from "./noise.js";
import { METHOD_NAMES, SCHEDULES, inverted, path } from "./sampling.js";

// started: called at each call, so that what moves by itself can stop.
export function interface_(engine, started) {
  const checked = (name, pixels) => {
    const listed = Array.isArray(pixels) || (ArrayBuffer.isView(pixels) && !(pixels instanceof DataView));
    if (!listed || !pixels.length || pixels.length % PIXELS) {
      const got = listed ? pixels.length : typeof pixels;
      throw new RangeError(`${name} must be a Float32Array of n × ${PIXELS} numbers, got ${got}`);
    }
    const wrong = pixels.findIndex(value => typeof value !== "number" || !Number.isFinite(Math.fround(value)));
    if (wrong >= 0) throw new RangeError(`${name} must be finite numbers, got ${String(pixels[wrong])} at ${wrong}`);
    return Float32Array.from(pixels);
  };
  const whole = (name, value, least, most) => {
    if (!Number.isInteger(value) || value < least || value > most) {
      throw new RangeError(`${name} must be a whole number from ${least} to ${most}, got ${String(value)}`);
    }
    return value;
  };
  const oneOf = (name, value, names) => {
    if (names.includes(value)) return value;
    throw new RangeError(`${name} must be one of ${names.join(", ")}, got ${String(value)}`);
  };
  const upTo = (name, value, most) => {
    if (typeof value !== "number" || !(value >= 0 && value <= most)) {
      throw new RangeError(`${name} must be a number from 0 to ${most}, got ${String(value)}`);
    }
    return value;
  };
  const settings = (given, usual) => {
    const unknown = Object(given) === given ? Object.keys(given).find(name => !(name in usual)) : String(given);
    if (unknown === undefined) return { ...usual, ...given };
    throw new RangeError(`settings must be among ${Object.keys(usual).join(", ")}, got ${unknown}`);
  };
  const calls = {
    // D(x, α), n × 1024.
    async evaluate(x, alpha) {
      return engine.tangents(checked("x", x), upTo("alpha", alpha, 1));
    },

    // x at α = 1, n × 1024; with `trajectory` all states one after another, (steps + 1) × n × 1024.
    async sample(x0, given = {}) {
      const usual = { steps: 128, method: "euler", schedule: "uniform", guidance: 0, trajectory: false };
      const { steps, method, schedule, guidance, trajectory } = settings(given, usual);
      oneOf("method", method, METHOD_NAMES);
      oneOf("schedule", schedule, Object.keys(SCHEDULES));
      upTo("guidance", guidance, 100);
      const tangents = (x, alpha) => engine.tangents(x, alpha, guidance);
      whole("steps", steps, 1, 10000);
      const start = checked("x0", x0), moments = await path(tangents, start, { steps, method, schedule });
      if (!trajectory) return moments.at(-1).x;
      const states = new Float32Array(moments.length * start.length);
      moments.forEach(({ x }, t) => states.set(x, t * start.length));
      return states;
    },

    // The noise that `sample` with Euler's steps leads from to x1, nearly: n × 1024.
    async invert(x1, given = {}) {
      const { steps } = settings(given, { steps: 128 });
      whole("steps", steps, 1, 10000);
      return inverted((x, alpha) => engine.tangents(x, alpha), checked("x1", x1), { steps });
    },

    // n pictures of Gaussian noise, the same for a seed in every browser.
    async noise(seed, n) {
      return noise(whole("seed", seed, 0, 4294967295), whole("n", n, 1, 10000));
    },
  };
  const stopping = ([name, call]) => [name, (...values) => (started(), call(...values))];
  return Object.fromEntries(Object.entries(calls).map(stopping));
}
