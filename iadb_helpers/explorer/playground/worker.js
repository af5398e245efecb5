// What the worker runs: it answers messages one after another, {id, what, pixels, alpha, guidance}, with {id, result}.

import { PIXELS, bytes, loadClassifier, loadGaussian, loadNetwork, unpacked } from "./network.js";

// packed: {kernel, network, gaussian, classifier}, as base64; it is the first message.
export function serve(port) {
  let loading = null;
  port.onmessage = async ({ data }) => {
    if (!loading) {
      loading = load(data);
      loading.then(() => port.postMessage({ id: 0 }), error => port.postMessage({ id: 0, error: String(error) }));
      return;
    }
    const { id, what, pixels, alpha, guidance } = data;
    try {
      const answers = await loading, length = what === "classify" ? 10 : PIXELS, n = pixels.length / PIXELS;
      const result = new Float32Array(length * n);
      for (let i = 0; i < n; i++) {
        result.set(answers[what](pixels.subarray(PIXELS * i, PIXELS * (i + 1)), alpha, guidance), length * i);
      }
      port.postMessage({ id, result }, [result.buffer]);
    } catch (error) { // else whoever asked would wait for ever
      port.postMessage({ id, error: String(error) });
    }
  };
}

export async function load(packed) {
  const module = await WebAssembly.compile(bytes(packed.kernel));
  const network = loadNetwork(module, await unpacked(packed.network));
  const simpler = loadGaussian(await unpacked(packed.gaussian));
  const classify = loadClassifier(module, await unpacked(packed.classifier));
  const tangent = (x, alpha, guidance) => {
    const d = network(x, alpha);
    if (!guidance) return d;
    const other = simpler(x, alpha);
    return d.map((value, i) => value + guidance * (1 - alpha) * (value - other[i]));
  };
  return { tangent, classify };
}
