// window.iadb: the network for tests and for the curious. It takes and promises Float32Arrays of n × 1024 numbers in
// the model's range.

import { PIXELS } from "./network.js";
import { noise } from "./noise.js";
import { METHOD_NAMES, SCHEDULES, inverted, path } from "./sampling.js";

// started: called at each call, so that what moves by itself can stop.
export function interface_(engine, started) {
  const checked = (name, pixels) => {
    const numbers = Float32Array.from(pixels);
    if (!numbers.length || numbers.length % PIXELS || !numbers.every(Number.isFinite)) {
      throw new RangeError(`${name} must be n × ${PIXELS} finite numbers, got ${numbers.length}`);
    }
    return numbers;
  };
  const whole = (name, value, least, most) => {
    if (!Number.isInteger(value) || value < least || value > most) {
      throw new RangeError(`${name} must be a whole number from ${least} to ${most}, got ${value}`);
    }
    return value;
  };
  const oneOf = (name, value, names) => {
    if (!names.includes(value)) throw new RangeError(`${name} must be one of ${names.join(", ")}, got ${value}`);
    return value;
  };
  const atLeast0 = (name, value, most) => {
    if (!(value >= 0 && value <= most)) throw new RangeError(`${name} must be from 0 to ${most}, got ${value}`);
    return value;
  };
  const calls = {
    // D(x, α), n × 1024.
    async evaluate(x, alpha) {
      return engine.tangents(checked("x", x), atLeast0("alpha", alpha, 1));
    },

    // x at α = 1, n × 1024; with `trajectory` all states one after another, (steps + 1) × n × 1024.
    async sample(x0, { steps = 128, method = "euler", schedule = "uniform", guidance = 0, trajectory = false } = {}) {
      oneOf("method", method, METHOD_NAMES);
      oneOf("schedule", schedule, Object.keys(SCHEDULES));
      atLeast0("guidance", guidance, 100);
      const tangents = (x, alpha) => engine.tangents(x, alpha, guidance);
      whole("steps", steps, 1, 10000);
      const moments = await path(tangents, checked("x0", x0), { steps, method, schedule });
      if (!trajectory) return moments.at(-1).x;
      const states = new Float32Array(moments.length * x0.length);
      moments.forEach(({ x }, t) => states.set(x, t * x0.length));
      return states;
    },

    // The noise that `sample` with Euler's steps leads from to x1, nearly: n × 1024.
    async invert(x1, { steps = 128 } = {}) {
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
