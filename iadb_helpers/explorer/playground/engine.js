// The worker's side of the page: promises of what the network says, and nothing computed where the page is painted.

export class Engine {
  constructor(worker) {
    this.worker = worker;
    this.waiting = new Map();
    this.asked = 0;
    this.ready = new Promise((resolve, reject) => this.waiting.set(0, { resolve, reject }));
    worker.onmessage = ({ data: { id, result, error } }) => {
      const { resolve, reject } = this.waiting.get(id);
      this.waiting.delete(id);
      if (error) reject(new Error(error));
      else resolve(result);
    };
    worker.onerror = worker.onmessageerror = () => {
      for (const { reject } of this.waiting.values()) reject(new Error("its worker has stopped"));
      this.waiting.clear();
    };
  }

  ask(what, pixels, alpha, guidance) {
    const id = ++this.asked;
    this.worker.postMessage({ id, what, pixels, alpha, guidance });
    return new Promise((resolve, reject) => this.waiting.set(id, { resolve, reject }));
  }

  // D of n pictures (n × 1024 numbers) at one α; with a guidance w, D + w (1 − α) (D − the Gaussian's).
  tangents(pixels, alpha, guidance = 0) {
    return this.ask("tangent", pixels, alpha, guidance);
  }

  // For each of n pictures ten numbers: how sure the classifier is of each class.
  classify(pixels) {
    return this.ask("classify", pixels);
  }
}

// Of calls that come while one is running, only the newest is kept: a slider is never behind the hand. The job is given
// a function that says whether a newer call waits, so that a long job can end early.
export function newest(job) {
  let running = false, waiting = null;
  return async function call(...values) {
    if (running) {
      waiting = values;
      return;
    }
    running = true;
    try {
      await job(...values, () => waiting !== null);
    } finally {
      running = false;
    }
    if (waiting) {
      const next = waiting;
      waiting = null;
      call(...next);
    }
  };
}
