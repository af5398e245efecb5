// A classic script, before the module: it must run where the module does not.
function failed(text) {
  document.getElementById("failed").textContent = text;
}
failed("Loading the network … Should this stay, the file is not whole.");
// The smallest module that has an instruction of SIMD.
const simd = Uint8Array.of(
  0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 10, 1, 8, 0, 65, 0, 253, 15, 253, 98, 11,
);
const able = window.WebAssembly && WebAssembly.validate(simd) && window.DecompressionStream && [].findLastIndex;
if (!able) {
  failed("This browser cannot run the network: it has no WebAssembly SIMD, or is too old. Chrome or Edge from 103, " +
    "Firefox from 113 and Safari from 16.4 on can. Here is one path as a still.");
}
