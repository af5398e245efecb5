// A convolution of one picture, four channels an instruction. `python -m tools.kernel` compiles this to kernel.wasm.
//
// A picture of C channels is [side + 2][side + 2][C]: channels last, and around it a border of zeros that stands for
// the padding, so that no pixel is a special case. Weights are [3][3][in][out], `out` is a multiple of 8.
#include <wasm_simd128.h>

enum { PIXELS = 4, CHANNELS = 8 };  // of one tile: 8 sums, which stay in registers, and 12 loads for 32 products

typedef struct { const float *x, *w; } Tap;  // the first pixel's neighbour, and the weights for all such neighbours

// PIXELS neighbours in a row of the result, CHANNELS of each. x_step and y_step lead to the next pixel.
static void tile(const Tap *taps, int count, int in, int out, int x_step, float *y, int y_step, const float *bias,
                 const float *skip) {
  v128_t sum[PIXELS][2];
  for (int p = 0; p < PIXELS; p++) for (int h = 0; h < 2; h++) sum[p][h] = wasm_v128_load(bias + 4 * h);
  for (int t = 0; t < count; t++) {
    const float *x = taps[t].x, *w = taps[t].w;
    for (int i = 0; i < in; i++, x++, w += out) {
      v128_t low = wasm_v128_load(w), high = wasm_v128_load(w + 4);
      for (int p = 0; p < PIXELS; p++) {
        v128_t value = wasm_v128_load32_splat(x + p * x_step);
        sum[p][0] = wasm_f32x4_add(sum[p][0], wasm_f32x4_mul(value, low));
        sum[p][1] = wasm_f32x4_add(sum[p][1], wasm_f32x4_mul(value, high));
      }
    }
  }
  for (int p = 0; p < PIXELS; p++) for (int h = 0; h < 2; h++) {
    v128_t result = wasm_f32x4_max(sum[p][h], wasm_f32x4_splat(0));
    int at = p * y_step + 4 * h;
    if (skip) result = wasm_f32x4_add(result, wasm_v128_load(skip + at));
    wasm_v128_store(y + at, result);
  }
}

// y = relu(conv(x) + bias) + skip, where side is y's; skip, shaped like y, may be 0.
void conv(const float *x, float *y, const float *w, const float *bias, const float *skip, int side, int in, int out,
          int stride) {
  int width = (side * stride + 2) * in;
  for (int c = 0; c < out; c += CHANNELS) for (int r = 0; r < side; r++) for (int q = 0; q < side; q += PIXELS) {
    Tap taps[9];
    for (int t = 0; t < 9; t++)
      taps[t] = (Tap){x + (stride * r + t / 3) * width + (stride * q + t % 3) * in, w + t * in * out + c};
    int at = ((r + 1) * (side + 2) + q + 1) * out + c;
    tile(taps, 9, in, out, stride * in, y + at, out, bias + c, skip ? skip + at : 0);
  }
}

// The same for a transposed convolution of stride 2 (padding 1, output padding 1), x having half of y's side. Row 2i of
// y meets row i of x with the middle weights; row 2i + 1 meets rows i and i + 1, with the last and the first ones.
void conv_transposed(const float *x, float *y, const float *w, const float *bias, const float *skip, int side, int in,
                     int out) {
  int width = (side / 2 + 2) * in;
  for (int c = 0; c < out; c += CHANNELS) for (int r = 0; r < side; r++) for (int q = 0; q < side / 2; q += PIXELS)
    for (int odd = 0; odd < 2; odd++) {
      Tap taps[4];
      int count = 0;
      for (int dy = 0; dy <= r % 2; dy++) for (int dx = 0; dx <= odd; dx++) {
        int ky = r % 2 ? 2 - 2 * dy : 1, kx = odd ? 2 - 2 * dx : 1;
        taps[count++] = (Tap){x + (r / 2 + 1 + dy) * width + (q + 1 + dx) * in, w + (3 * ky + kx) * in * out + c};
      }
      int at = ((r + 1) * (side + 2) + 2 * q + odd + 1) * out + c;
      tile(taps, count, in, out, in, y + at, 2 * out, bias + c, skip ? skip + at : 0);
    }
}
