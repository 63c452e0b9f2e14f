// A GPU for kernels/gpu/in_registers.cu on a CPU: every thread a fibre of one thread, which fibre is next by chance.
//
// What a block shows the others arrives after a time by chance, word by word, in any order but that of one address; a
// look of four words may see each at another time. Products are of whole warps, by the fragments that PTX documents.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <ucontext.h>
#include <vector>
#define EMULATED
#define __device__
#define __global__
#define __forceinline__ inline
#define __launch_bounds__(...)
struct uint2 { unsigned x, y; };
struct uint4 { unsigned x, y, z, w; };
struct float4 { float x, y, z, w; };
struct Index { unsigned x; };
inline uint4 make_uint4(unsigned x, unsigned y, unsigned z, unsigned w) { return {x, y, z, w}; }
using std::min;

namespace emulator {
struct Barrier { int wanted = 0, arrived = 0; unsigned phase = 0; };
struct Warp { Barrier barrier; unsigned a[32][4], b[32][2], value[32]; };
struct Block { Barrier barrier; std::vector<Warp> warps; std::vector<float> shared; };
struct Fibre {
  ucontext_t context; std::unique_ptr<char[]> stack; Index thread, block; Block *of; Warp *warp; int lane;
  Barrier *waits = nullptr; unsigned until = 0; bool done = false;
};
struct Word { uint64_t due; unsigned *at, value; };
constexpr size_t STACK = 1 << 16;
inline ucontext_t home;
inline Fibre *current;
inline std::mt19937 chance;
inline uint64_t ticks;
inline std::vector<Word> underway;
inline std::map<unsigned *, uint64_t> last_due;
inline std::function<void()> body;
inline int delay;

inline void yield() { swapcontext(&current->context, &home); }
inline void wait(Barrier &barrier) {
  if (++barrier.arrived == barrier.wanted) { barrier.arrived = 0, barrier.phase++; yield(); return; }
  current->waits = &barrier, current->until = barrier.phase + 1;
  yield();
}
inline void enter() { body(); current->done = true; yield(); }

// Runs `call` in every thread. Memory arrives by the end.
inline void launch(int blocks, int threads, size_t shared_floats, unsigned seed, int longest_delay, std::function<void()> call) {
  chance.seed(seed), body = call, delay = longest_delay, ticks = 0, underway.clear(), last_due.clear();
  std::vector<Block> all(blocks);
  std::vector<Fibre> fibres((size_t)blocks * threads);
  for (int i = 0; i < blocks; i++) {
    all[i].barrier.wanted = threads, all[i].warps.resize(threads / 32), all[i].shared.assign(shared_floats, NAN);
    for (auto &warp : all[i].warps) warp.barrier.wanted = 32;
    for (int j = 0; j < threads; j++) {
      Fibre &one = fibres[(size_t)i * threads + j];
      one.thread = {(unsigned)j}, one.block = {(unsigned)i}, one.of = &all[i], one.warp = &all[i].warps[j / 32], one.lane = j % 32;
      one.stack.reset(new char[STACK]);
      getcontext(&one.context);
      one.context.uc_stack.ss_sp = one.stack.get(), one.context.uc_stack.ss_size = STACK, one.context.uc_link = nullptr;
      makecontext(&one.context, enter, 0);
    }
  }
  size_t left = fibres.size();
  unsigned asleep_block = 0, asleep_warp = 0;  // that do nothing for a while
  while (left) {
    if (++ticks % 4096 == 0) asleep_block = chance() % (blocks * 2), asleep_warp = chance() % (fibres.size() / 32);
    for (size_t i = 0; i < underway.size();)
      if (underway[i].due <= ticks) *underway[i].at = underway[i].value, underway[i] = underway.back(), underway.pop_back();
      else i++;
    // a warp by chance, and all its fibres that can run
    const size_t warp = chance() % (fibres.size() / 32);
    if (delay && (warp == asleep_warp || fibres[warp * 32].block.x == asleep_block) && ticks % 64) continue;
    for (size_t i = warp * 32; i < warp * 32 + 32; i++) {
      Fibre &one = fibres[i];
      if (one.done || (one.waits && one.waits->phase < one.until)) continue;
      one.waits = nullptr, current = &one;
      swapcontext(&home, &one.context);
      if (one.done) left--;
    }
  }
  std::sort(underway.begin(), underway.end(), [](const Word &a, const Word &b) { return a.due < b.due; });
  for (auto &word : underway) *word.at = word.value;
  underway.clear();
}
}  // namespace emulator

#define threadIdx (emulator::current->thread)
#define blockIdx (emulator::current->block)
inline void __syncthreads() { emulator::wait(emulator::current->of->barrier); }
inline void __syncwarp() { emulator::wait(emulator::current->warp->barrier); }
template <class T> T __shfl_sync(unsigned, T value, int from) {
  emulator::Warp &warp = *emulator::current->warp;
  std::memcpy(&warp.value[emulator::current->lane], &value, 4);
  __syncwarp();
  T found;
  std::memcpy(&found, &warp.value[from & 31], 4);
  __syncwarp();
  return found;
}
inline float __shfl_down_sync(unsigned, float value, int by) {
  return __shfl_sync(0, value, std::min(emulator::current->lane + by, 31));
}
inline unsigned address(const void *) { return 0; }  // of what is shared, the only thing whose address is asked
inline void put(unsigned at, float v) { emulator::current->of->shared.at(at / 4) = v; }
inline float4 get_four(unsigned at) {
  const auto &shared = emulator::current->of->shared;
  return {shared.at(at / 4), shared.at(at / 4 + 1), shared.at(at / 4 + 2), shared.at(at / 4 + 3)};
}
inline float get(unsigned at) { return emulator::current->of->shared.at(at / 4); }
inline float __expf(float v) { return std::exp(v); }
inline float __fdividef(float a, float b) { return a / b; }

inline float wide(uint16_t bits) {
  if (HALF) { _Float16 v; std::memcpy(&v, &bits, 2); return v; }
  const uint32_t all = (uint32_t)bits << 16;
  float v; std::memcpy(&v, &all, 4); return v;
}
inline uint16_t narrow_one(float v) {
  if (HALF) { const _Float16 h = (_Float16)v; uint16_t bits; std::memcpy(&bits, &h, 2); return bits; }
  uint32_t bits; std::memcpy(&bits, &v, 4);
  if (std::isnan(v)) return 0x7fff;
  return (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
}
inline unsigned narrow(float low, float high) { return narrow_one(low) | (unsigned)narrow_one(high) << 16; }
inline void product(float (&c)[4], const unsigned (&a)[4], unsigned b0, unsigned b1) {
  emulator::Warp &warp = *emulator::current->warp;
  const int lane = emulator::current->lane, row = lane >> 2, quad = lane & 3;
  std::memcpy(warp.a[lane], a, 16), warp.b[lane][0] = b0, warp.b[lane][1] = b1;
  __syncwarp();
  for (int i = 0; i < 4; i++) {
    const int m = row + i / 2 * 8, n = quad * 2 + i % 2;
    for (int k = 0; k < 16; k++) {
      const int pair = k % 8 / 2, shift = k % 2 * 16;
      const uint16_t left = warp.a[m % 8 * 4 + pair][m / 8 + k / 8 * 2] >> shift, right = warp.b[n * 4 + pair][k / 8] >> shift;
      c[i] += wide(left) * wide(right);
    }
  }
  __syncwarp();
}
inline unsigned seen(const unsigned *at) { return *(const volatile unsigned *)at; }
// each word at a time of its own
template <class V> void look(V &v, const unsigned *at) {
  using namespace emulator;
  constexpr int words = sizeof(V) / 4;
  unsigned found[words];
  int order[words];
  for (int i = 0; i < words; i++) order[i] = i;
  std::shuffle(order, order + words, chance);
  for (int i : order) {
    if (delay && chance() % 8 == 0) yield();
    found[i] = seen(at + i);
  }
  std::memcpy(&v, found, sizeof v);
  yield();
}
inline void show(unsigned *at, unsigned word) {
  using namespace emulator;
  uint64_t &due = last_due[at];
  due = std::max(due, ticks + (delay ? chance() % delay : 0)) + 1;
  underway.push_back({due, at, word});
}
inline void report(unsigned *fault) { *fault = 1; }
inline void rest(unsigned) { emulator::yield(); }
