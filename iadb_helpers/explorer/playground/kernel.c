// The network's convolutions, of one picture, four channels an instruction. `python -m tools.kernel` compiles this to
// kernel.wasm.
//
// A picture of C channels is [side + 2][side + 2][C]: channels last, and around it a border of zeros that stands for
// the padding, so that no pixel is a special case. Weights are [3][3][in][out], `out` is a multiple of 8. Each function
// leaves y = relu(conv(x) + bias) + skip, where side is y's; skip, shaped like y, may be 0.
#include <wasm_simd128.h>

enum { PIXELS = 4, CHANNELS = 8 };  // of one tile: 8 sums, which stay in registers, and 6 loads for 8 products

typedef struct { const float *x, *w; } Tap;  // the first pixel's neighbour, and the weights for all such neighbours

static v128_t finished(v128_t sum, const float *skip) {
  sum = wasm_f32x4_max(sum, wasm_f32x4_splat(0));
  return skip ? wasm_f32x4_add(sum, wasm_v128_load(skip)) : sum;
}

// PIXELS neighbours in a row of the result, CHANNELS of each. x_step and y_step lead to the next pixel. Without a bias
// the plain sums are left.
static void tile(const Tap *taps, int count, int in, int out, int x_step, float *y, int y_step, const float *bias,
                 const float *skip) {
  v128_t sum[PIXELS][2];
  for (int p = 0; p < PIXELS; p++) for (int h = 0; h < 2; h++)
    sum[p][h] = bias ? wasm_v128_load(bias + 4 * h) : wasm_f32x4_splat(0);
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
    int at = p * y_step + 4 * h;
    wasm_v128_store(y + at, bias ? finished(sum[p][h], skip ? skip + at : 0) : sum[p][h]);
  }
}

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

// A transposed convolution of stride 2 (padding 1, output padding 1); x has half of y's side. Row 2i of y meets row i
// of x with the middle weights; row 2i + 1 meets rows i and i + 1, with the last and the first ones.
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

static void to_four(v128_t *d, int step) {
  v128_t a = d[0], b = d[step], c = d[2 * step], e = d[3 * step];
  d[0] = wasm_f32x4_sub(a, c), d[step] = wasm_f32x4_add(b, c);
  d[2 * step] = wasm_f32x4_sub(c, b), d[3 * step] = wasm_f32x4_sub(b, e);
}

static void to_two(v128_t *m, int step) {
  v128_t b = m[step], c = m[2 * step];
  m[0] = wasm_f32x4_add(wasm_f32x4_add(m[0], b), c);
  m[step] = wasm_f32x4_sub(wasm_f32x4_sub(b, c), m[3 * step]);
}

// A convolution of stride 1 with 16 products for four pixels in the place of 36 (Winograd; Lavin and Gray 2016, arXiv
// 1509.09308, section 4.1). w is [4][4][in][out], transformed beforehand; room holds 8 × side × (in + out) numbers;
// side is a multiple of 8.
void conv_winograd(const float *x, float *y, const float *w, const float *bias, const float *skip, int side, int in,
                   int out, float *room) {
  int squares = side / 2, width = (side + 2) * in;
  float *v = room, *m = room + 16 * squares * in;
  for (int r = 0; r < side; r += 2) {
    for (int s = 0; s < squares; s++) for (int c = 0; c < in; c += 4) {
      v128_t d[16];
      for (int k = 0; k < 16; k++) d[k] = wasm_v128_load(x + (r + k / 4) * width + (2 * s + k % 4) * in + c);
      for (int k = 0; k < 4; k++) to_four(d + k, 4);
      for (int k = 0; k < 4; k++) to_four(d + 4 * k, 1);
      for (int k = 0; k < 16; k++) wasm_v128_store(v + (k * squares + s) * in + c, d[k]);
    }
    for (int k = 0; k < 16; k++) for (int c = 0; c < out; c += CHANNELS)
      for (int s = 0; s < squares; s += PIXELS) {
        Tap tap = {v + (k * squares + s) * in, w + k * in * out + c};
        tile(&tap, 1, in, out, in, m + (k * squares + s) * out + c, out, 0, 0);
      }
    for (int s = 0; s < squares; s++) for (int c = 0; c < out; c += 4) {
      v128_t d[16];
      for (int k = 0; k < 16; k++) d[k] = wasm_v128_load(m + (k * squares + s) * out + c);
      for (int k = 0; k < 4; k++) to_two(d + k, 4);
      for (int k = 0; k < 2; k++) to_two(d + 4 * k, 1);
      for (int k = 0; k < 4; k++) {
        int at = ((r + k / 2 + 1) * (side + 2) + 2 * s + k % 2 + 1) * out + c;
        v128_t sum = wasm_f32x4_add(d[4 * (k / 2) + k % 2], wasm_v128_load(bias + c));
        wasm_v128_store(y + at, finished(sum, skip ? skip + at : 0));
      }
    }
  }
}
