// All steps of a sequence in one launch: see kernels/gpu/in_registers.py, which compiles this for one case.
//
// CELL 0 rnn, 1 lstm, 2 gru; HALF 0 bfloat16, 1 float16; H hidden, a multiple of 8; B sequences, 1 to 16; UNITS of a
// block, an even number; WARPS of a block, each with a part of k; COPIES of the exchanged state, 1, 2 or 4.
typedef unsigned int u32;
typedef unsigned short u16;
#define GATES (CELL == 1 ? 4 : CELL == 2 ? 3 : 1)
#define TILES ((GATES * UNITS + 15) / 16)      // of 16 rows: the rows of a block are gate by gate, then zero
#define STRIDE (TILES * 16 + 4)                // no two lanes that write a fragment share a bank
#define PIECES ((H + 31) / 32)                 // of k, 32 each
#define MINE ((PIECES + WARPS - 1) / WARPS)    // of a warp
#define WHOLE (PIECES == MINE * WARPS && H % 32 == 0)
#define COLUMNS ((B + 7) / 8)                  // tiles of 8 sequences
#define TASKS ((UNITS * B + 7) / 8)            // of 8 units' values, each the work of a warp
#define OWN ((TASKS + WARPS - 1) / WARPS)
#define NARROW (B == 1)                         // lanes hold a share of k each, in columns of their own: one load
#define HELD ((2 * MINE + 7) / 8)              // then, of 4 values each
#define PLACE (WARPS * (NARROW ? TILES * 64 : B * STRIDE))  // of the warps' sums: [row][4 lanes], or [sequence][row]
#define SLOT (PIECES * 16 * B)                 // words of one state: [piece][sequence][16 words of two units]
#define HEADER 32                              // words before them; the first counts the states exchanged so far
#define SIGN 0x40004000u                       // set in no value below 2
#ifndef CHAINS
#define CHAINS 2                               // sums that a tile's products are added to in turn
#endif
#ifndef LOOKS
#define LOOKS (1u << 22)                       // at a state before it is given up: a second or more
#endif

// What this lane reads of a state, by numbers below COUNT: of each piece of its warp 8 values of sequence `row` (and
// of `row + 8`). Of one sequence, whose products leave 7 of 8 columns free, it has 4 values of every eighth product
// instead, the `row`-th, and puts them into its own column alone: one load of a warp has all.
#if NARROW
typedef uint2 Chunk;
#define COUNT HELD
#define K(i) (warp * MINE * 32 + i * 128 + row / 2 * 32 + quad * 8 + row % 2 * 4)
#define SEQUENCE(i) 0
#define READS(i) ((MINE % 4 == 0 || i * 8 + row < 2 * MINE) && (WHOLE || K(i) < H))
#define AT(i) (K(i) / 2)
#else
typedef uint4 Chunk;
#define COUNT (MINE * COLUMNS)
#define K(i) ((warp * MINE + i / COLUMNS) * 32 + quad * 8)
#define SEQUENCE(i) (i % COLUMNS * 8 + row)
#define READS(i) ((B % 8 == 0 || SEQUENCE(i) < B) && (WHOLE || K(i) < H))
#define AT(i) (((warp * MINE + i / COLUMNS) * B + SEQUENCE(i)) * 16 + quad * 4)
#endif
#define EACH(i) _Pragma("unroll") for (int i = 0; i < COUNT; i++) if (READS(i))

#ifndef EMULATED
__device__ __forceinline__ float wide(u16 v) {
#if HALF
  float f;
  asm("cvt.f32.f16 %0, %1;" : "=f"(f) : "h"(v));
  return f;
#else
  return __uint_as_float((u32)v << 16);
#endif
}
__device__ __forceinline__ u32 narrow(float low, float high) {
  u32 both;
#if HALF
  asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(both) : "f"(high), "f"(low));
#else
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(both) : "f"(high), "f"(low));
#endif
  return both;
}
#if HALF
#define MMA "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32"
#else
#define MMA "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32"
#endif
__device__ __forceinline__ void product(float (&c)[4], const u32 (&a)[4], u32 b0, u32 b1) {
  asm volatile(MMA " {%0,%1,%2,%3},{%4,%5,%6,%7},{%8,%9},{%0,%1,%2,%3};"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}
__device__ __forceinline__ void look(uint4 &v, const u32 *at) {
  asm volatile("ld.relaxed.gpu.global.v4.u32 {%0,%1,%2,%3},[%4];"
      : "=r"(v.x), "=r"(v.y), "=r"(v.z), "=r"(v.w) : "l"(at) : "memory");
}
__device__ __forceinline__ void look(uint2 &v, const u32 *at) {
  asm volatile("ld.relaxed.gpu.global.v2.u32 {%0,%1},[%2];" : "=r"(v.x), "=r"(v.y) : "l"(at) : "memory");
}
__device__ __forceinline__ void show(u32 *at, u32 word) {
  asm volatile("st.relaxed.gpu.global.u32 [%0],%1;" ::"l"(at), "r"(word) : "memory");
}
__device__ __forceinline__ u32 seen(const u32 *at) {
  u32 word;
  asm volatile("ld.relaxed.gpu.global.u32 %0,[%1];" : "=r"(word) : "l"(at) : "memory");
  return word;
}
__device__ __forceinline__ void report(u32 *fault) {
  asm volatile("st.relaxed.sys.global.u32 [%0],%1;" ::"l"(fault), "r"(1u) : "memory");
}
// shared memory, by its own addresses in bytes
__device__ __forceinline__ u32 address(const void *at) { return (u32)__cvta_generic_to_shared(at); }
__device__ __forceinline__ void put(u32 at, float v) {
  asm volatile("st.shared.f32 [%0],%1;" ::"r"(at), "f"(v) : "memory");
}
__device__ __forceinline__ float get(u32 at) {
  float v;
  asm volatile("ld.shared.f32 %0,[%1];" : "=f"(v) : "r"(at) : "memory");
  return v;
}
__device__ __forceinline__ float4 get_four(u32 at) {
  float4 v;
  asm volatile("ld.shared.v4.f32 {%0,%1,%2,%3},[%4];" : "=f"(v.x), "=f"(v.y), "=f"(v.z), "=f"(v.w) : "r"(at) : "memory");
  return v;
}
__device__ __forceinline__ void rest(u32 cycles) {
  u32 began, now;
  asm volatile("mov.u32 %0, %%clock;" : "=r"(began));
  do asm volatile("mov.u32 %0, %%clock;" : "=r"(now)); while (now - began < cycles);
}
#endif

__device__ __forceinline__ float sigmoid(float v) { return __fdividef(1.f, 1.f + __expf(-v)); }
__device__ __forceinline__ float tanh_of(float v) { return 1.f - __fdividef(2.f, __expf(2.f * v) + 1.f); }
// the same value, which the compiler keeps in a register: it would make it anew at every step
__device__ __forceinline__ u32 held(u32 v) { return __shfl_sync(~0u, v, threadIdx.x & 31); }
__device__ __forceinline__ void flip(uint2 &v, u32 bits) { v.x ^= bits, v.y ^= bits; }
__device__ __forceinline__ void flip(uint4 &v, u32 bits) { v.x ^= bits, v.y ^= bits, v.z ^= bits, v.w ^= bits; }
__device__ __forceinline__ u32 differ(const uint2 &v, u32 tag) { return ((v.x ^ tag) | (v.y ^ tag)) & SIGN; }
__device__ __forceinline__ u32 differ(const uint4 &v, u32 tag) {
  return ((v.x ^ tag) | (v.y ^ tag) | (v.z ^ tag) | (v.w ^ tag)) & SIGN;
}
__device__ __forceinline__ void fill(uint2 &v, u32 word) { v.x = v.y = word; }
__device__ __forceinline__ void fill(uint4 &v, u32 word) { v.x = v.y = v.z = v.w = word; }
__device__ __forceinline__ uint4 four(const u16 *at) { return *(const uint4 *)at; }

// U (GATES*H, H), b_w and b_u (GATES*H), from_x (T, B, GATES*H), h and c (B, H) in; out (T, B, H) and c_new (B, H).
// exchange: HEADER words, then [COPIES][2][SLOT] words; all zero before the first call, and left as they are between
// calls. faults: two words that the CPU sees: waited in vain; a value that is not below 2.
extern "C" __global__ void __launch_bounds__(WARPS * 32, 1)
sequence(const u16 *__restrict__ U, const u16 *__restrict__ b_w, const u16 *__restrict__ b_u,
         const u16 *__restrict__ from_x, const u16 *__restrict__ h, const u16 *__restrict__ c,
         u16 *__restrict__ out, u16 *__restrict__ c_new, u32 *exchange, u32 *faults, int T, u32 wait) {
  extern __shared__ float sums[];  // [2][PLACE], and behind them the count
  const int lane = threadIdx.x & 31, warp = threadIdx.x >> 5, row = lane >> 2, quad = lane & 3;
  const int first = blockIdx.x * UNITS;
  u32 *const shared_count = (u32 *)(sums + 2 * PLACE);
  if (threadIdx.x == 0) *shared_count = seen(exchange);

  // U: of each piece of k this lane holds 8 columns of the rows `row` and `row + 8` of each tile
  u32 a[TILES][MINE * 2][4];
#pragma unroll
  for (int m = 0; m < TILES; m++)
#pragma unroll
    for (int p = 0; p < MINE; p++) {
      const int k = (warp * MINE + p) * 32 + quad * 8;
      uint4 part[2];
#pragma unroll
      for (int half = 0; half < 2; half++) {
        const int r = m * 16 + half * 8 + row, unit = first + r % UNITS;
        part[half] = make_uint4(0, 0, 0, 0);
        if (r < GATES * UNITS && unit < H && k < H) part[half] = four(U + ((size_t)(r / UNITS) * H + unit) * H + k);
      }
      a[m][2 * p][0] = part[0].x, a[m][2 * p][1] = part[1].x, a[m][2 * p][2] = part[0].y, a[m][2 * p][3] = part[1].y;
      a[m][2 * p + 1][0] = part[0].z, a[m][2 * p + 1][1] = part[1].z;
      a[m][2 * p + 1][2] = part[0].w, a[m][2 * p + 1][3] = part[1].w;
    }

  // the pointwise part: lane 8 kind + j has one sum of the unit and sequence that is the j-th of a task
  const int kind = lane >> 3;
  const int gate = CELL == 0 ? 0 : CELL == 1 ? kind : min(kind, 2);
  const bool of_w = CELL != 2 || kind != 2, of_u = CELL != 2 || kind != 3;
  float state[OWN], bias[OWN];
  u32 wx[OWN], at_sum[OWN], at_h[OWN], at_word[OWN], shows[OWN], writes[OWN];
  const u16 *at_x[OWN];
#pragma unroll
  for (int o = 0; o < OWN; o++) {
    const int pair = (o * WARPS + warp) * 8 + (lane & 7), s = pair / UNITS, unit = first + pair % UNITS;
    const bool real = pair < UNITS * B && unit < H;
    const int b = real ? s : 0, n = real ? unit : first, r = gate * H + n;
    at_sum[o] = held(address(sums) + 4 * (NARROW ? 4 * (gate * UNITS + n - first) : b * STRIDE + gate * UNITS + n - first));
    at_x[o] = from_x + b * GATES * H + r;
    at_h[o] = held(b * H + n);
    at_word[o] = held((n / 32 * B + b) * 16 + n % 32 / 2);
    shows[o] = held(real && !(lane & 1) && kind < COPIES);  // two units' values, to the others
    writes[o] = held(real && !(lane & 1) && kind == 0);     // and to memory
    bias[o] = (of_w ? wide(b_w[r]) : 0.f) + (of_u ? wide(b_u[r]) : 0.f);
    state[o] = CELL == 0 ? 0.f : wide(CELL == 1 ? c[at_h[o]] : h[at_h[o]]);
    wx[o] = *at_x[o];
  }

  Chunk x[COUNT];
#pragma unroll
  for (int i = 0; i < COUNT; i++) fill(x[i], 0);
  EACH(i) x[i] = *(const Chunk *)(h + SEQUENCE(i) * H + K(i));
#if NARROW
  u32 own[8];
#pragma unroll
  for (int i = 0; i < 8; i++) own[i] = held(row == i ? ~0u : 0);
#endif
  __syncthreads();
  const u32 count = *shared_count;
  u32 *const words = exchange + HEADER;
  const u32 *const look_at = words + blockIdx.x % COPIES * 2 * SLOT + AT(0);
  u32 *const show_at = words + kind % COPIES * 2 * SLOT;
  const u32 put_at = held(address(sums) + 4 * (NARROW ? warp * TILES * 64 + lane : (warp * B + quad * 2) * STRIDE + row));
  u32 looks = LOOKS;
  // state `number` lies in slot number & 1 and has the bit where number & 2; a step reads one and makes the next
  u32 slot = (count & 1 ? 0 : SLOT), tag = 0, mine = (count + 2) & 2 ? SIGN : 0, last = (count + 1) & 2 ? SIGN : 0;
  u32 place = 0;  // of the warps' sums, in bytes

  for (int t = 0; t < T; t++) {
    u32 next[OWN];
#pragma unroll
    for (int o = 0; o < OWN; o++) {
      at_x[o] += B * GATES * H;
      next[o] = t + 1 < T ? *at_x[o] : 0;
    }
    if (t) {
      const u32 *const from = look_at + slot;
      if (wait) rest(wait);
      if (NARROW || B % 8 == 0 || COLUMNS > 1 || row < B) {
        u32 left = looks;
        EACH(i) look(x[i], from + AT(i) - AT(0));
        for (;;) {
          u32 wrong = 0;
          EACH(i) {
            const u32 not_yet = differ(x[i], tag);
            if (not_yet) look(x[i], from + AT(i) - AT(0));
            wrong |= not_yet;
          }
          if (!wrong) break;
          if (!--left) {  // what was to come does not: say so, and go on with what is no number
            report(faults);
            looks = 1;
            EACH(i) fill(x[i], ~tag);
            break;
          }
        }
      }
      __syncwarp();
    }
    // the bit off again; lanes that read nothing have 0 or 2 in every value, against a U of 0 or for no one
#pragma unroll
    for (int i = 0; i < COUNT; i++) flip(x[i], tag);
    float sum[CHAINS][TILES][COLUMNS][4] = {};
#pragma unroll
    for (int k = 0; k < 2 * MINE; k++)
#pragma unroll
      for (int m = 0; m < TILES; m++)
#pragma unroll
        for (int n = 0; n < COLUMNS; n++) {
#if NARROW
          product(sum[k % CHAINS][m][n], a[m][k], x[k / 8].x & own[k % 8], x[k / 8].y & own[k % 8]);
#else
          const uint4 &v = x[k / 2 * COLUMNS + n];
          product(sum[k % CHAINS][m][n], a[m][k], k % 2 ? v.z : v.x, k % 2 ? v.w : v.y);
#endif
        }
#pragma unroll
    for (int m = 0; m < TILES; m++)
#pragma unroll
      for (int n = 0; n < COLUMNS; n++)
#pragma unroll
        for (int i = 0; i < 4; i++)
#pragma unroll
          for (int chain = 1; chain < CHAINS; chain++) sum[0][m][n][i] += sum[chain][m][n][i];
#pragma unroll
    for (int m = 0; m < TILES; m++)
#pragma unroll
      for (int half = 0; half < 2; half++)
        if (NARROW) put(put_at + place + 4 * (m * 64 + half * 32), sum[0][m][0][half * 2] + sum[0][m][0][half * 2 + 1]);
#if !NARROW
#pragma unroll
    for (int n = 0; n < COLUMNS; n++)
#pragma unroll
      for (int odd = 0; odd < 2; odd++)
        if (n * 8 + quad * 2 + odd < B)
#pragma unroll
          for (int m = 0; m < TILES; m++)
#pragma unroll
            for (int half = 0; half < 2; half++)
              put(put_at + place + 4 * ((n * 8 + odd) * STRIDE + m * 16 + half * 8), sum[0][m][n][half * 2 + odd]);
#endif
    __syncthreads();
    if (TASKS >= WARPS || warp < TASKS) {
      // all tasks of this warp side by side; one that is none does the same for nothing
      float s[OWN], value[OWN];
#pragma unroll
      for (int o = 0; o < OWN; o++) {
        float part[WARPS];
#pragma unroll
        for (int i = 0; i < WARPS; i++) {
#if NARROW
          const float4 v = get_four(at_sum[o] + place + i * TILES * 256);
          part[i] = (v.x + v.y) + (v.z + v.w);
#else
          part[i] = get(at_sum[o] + place + 4 * i * B * STRIDE);
#endif
        }
#pragma unroll
        for (int width = WARPS / 2; width; width /= 2)
#pragma unroll
          for (int i = 0; i < width; i++) part[i] += part[i + width];
        s[o] = bias[o] + (of_w ? wide(wx[o]) : 0.f) + (of_u ? part[0] : 0.f);
        wx[o] = next[o];
      }
#pragma unroll
      for (int o = 0; o < OWN; o++)
        if (CELL == 1) {
          const float v = sigmoid(kind == 2 ? 2.f * s[o] : s[o]);
          s[o] = kind == 2 ? 2.f * v - 1.f : v;
        } else if (CELL == 2) {
          s[o] = kind < 2 ? sigmoid(s[o]) : s[o];
        }
#pragma unroll
      for (int o = 0; o < OWN; o++) {
        if (CELL == 0) {
          value[o] = tanh_of(s[o]);
          continue;
        }
        const float s0 = __shfl_sync(~0u, s[o], lane & 7), s1 = __shfl_sync(~0u, s[o], 8 + (lane & 7));
        const float s2 = __shfl_sync(~0u, s[o], 16 + (lane & 7)), s3 = __shfl_sync(~0u, s[o], 24 + (lane & 7));
        if (CELL == 1) {  // i f g o
          state[o] = s1 * state[o] + s0 * s2;
          value[o] = s3 * tanh_of(state[o]);
        } else {  // r z, U's and W's part of n
          const float n = tanh_of(s3 + s0 * s2);
          value[o] = state[o] = n + s1 * (state[o] - n);
        }
      }
      u32 both[OWN];
#pragma unroll
      for (int o = 0; o < OWN; o++) both[o] = narrow(value[o], __shfl_down_sync(~0u, value[o], 1));
#pragma unroll
      for (int o = 0; o < OWN; o++)
        if (shows[o] && t + 1 < T) show(show_at + (SLOT - slot) + at_word[o], (both[o] & ~SIGN) | mine);
#pragma unroll
      for (int o = 0; o < OWN; o++)
        if (writes[o]) {
          *(u32 *)(out + at_h[o]) = both[o];
          if (t + 1 < T && both[o] & SIGN) report(faults + 1);
        }
    }
    out += B * H;
    slot = SLOT - slot, place = 4 * PLACE - place;
    tag = mine, mine = last ^ SIGN, last = tag;
  }
  if (CELL == 1)
#pragma unroll
    for (int o = 0; o < OWN; o++) {
      const u32 both = narrow(state[o], __shfl_down_sync(~0u, state[o], 1));
      if (writes[o]) *(u32 *)(c_new + at_h[o]) = both;
    }
  // every block has read the count before it showed its second-last state, and this block has seen that of all
  if (blockIdx.x == 0 && threadIdx.x == 0 && T > 1) show(exchange, count + T - 1);
}
