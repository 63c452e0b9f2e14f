/* Independent probes in C, to hold our roofs against: bench/verify/c_probe.py builds and runs them.

   A block is cut into as many parts as the probe has arrays, each thread has a contiguous share of each, whole multiples
   of 2 KiB, and walks it `passes` times. Bytes are those loaded and stored, once per pass, as in STREAM; without
   write-allocate.

   read    adds up the block
   write   fills the block, with another number in every pass
   copy    first half to second half
   triad   a = b + s*c; b and c the first two thirds, a the last

   Each goes several ways; `ways(kind)` tells how many. The first is a plain loop, which the compiler vectorises as it
   likes (-O3 -march=native -ffast-math; often to 32 bytes where there are 64, and a copy to memcpy), then come memset or
   memcpy, then vectors of 32 and 64 bytes over 1 to 8 streams side by side, and stores past the caches where there is
   AVX or AVX-512. */
#include <stddef.h>
#include <string.h>
#ifdef __AVX__
#include <immintrin.h>
#endif

enum { SHARE = 512 /* floats: whole turns of every loop */, LINE = 16 };
#define AGAIN __asm__ volatile("" ::: "memory") /* every pass loads and stores again */
#define UNROLLED _Pragma("GCC unroll 32")
typedef float v8 __attribute__((vector_size(32), may_alias));
typedef float v16 __attribute__((vector_size(64), may_alias));

typedef float reader(const float *from, size_t floats);
typedef void storer(float *restrict a, const float *restrict b, const float *restrict c, float s, size_t floats);

static float read_plain(const float *from, size_t floats) {
    float total = 0;
    for (size_t i = 0; i < floats; i++)
        total += from[i];
    return total;
}

/* S streams, of each U vectors V in flight, an accumulator for every one. */
#define READ(NAME, V, S, U)                                                                                            \
    static float NAME(const float *from, size_t floats) {                                                              \
        V sums[(S) * (U)] = {{0}};                                                                                     \
        size_t apart = floats / (S), lanes = sizeof(V) / sizeof(float);                                                \
        for (size_t i = 0; i < apart; i += (U) * lanes) {                                                              \
            UNROLLED for (int k = 0; k < (S) * (U); k++)                                                               \
                sums[k] += *(const V *)(from + k / (U) * apart + i + k % (U) * lanes);                                 \
        }                                                                                                              \
        for (int k = 1; k < (S) * (U); k++)                                                                            \
            sums[0] += sums[k];                                                                                        \
        float total = 0;                                                                                               \
        for (size_t lane = 0; lane < lanes; lane++)                                                                    \
            total += sums[0][lane];                                                                                    \
        return total;                                                                                                  \
    }
READ(read_v8, v8, 1, 8)
READ(read_v8x4, v8, 4, 2)
READ(read_v16, v16, 1, 8)
READ(read_v16x2, v16, 2, 4)
READ(read_v16x4, v16, 4, 4)
READ(read_v16x8, v16, 8, 2)

static reader *const readers[] = {read_plain, read_v8, read_v8x4, read_v16, read_v16x2, read_v16x4, read_v16x8};

/* a[i] = b[i] + s * c[i], or what of it there is: without c a copy, without b too a fill with s. */
static void store_plain(float *restrict a, const float *restrict b, const float *restrict c, float s, size_t floats) {
    if (c)
        for (size_t i = 0; i < floats; i++)
            a[i] = b[i] + s * c[i];
    else if (b)
        for (size_t i = 0; i < floats; i++)
            a[i] = b[i];
    else
        for (size_t i = 0; i < floats; i++)
            a[i] = s;
}

static void store_library(float *restrict a, const float *restrict b, const float *restrict c, float s, size_t floats) {
    if (c)
        store_plain(a, b, c, s, floats);
    else if (b)
        memcpy(a, b, floats * sizeof(float));
    else
        memset(a, 1 + (int)s % 255, floats * sizeof(float));
}

/* S streams, of each U vectors V to a turn; PUT stores one. */
#define TURNS(V, S, U, PUT, VALUE)                                                                                     \
    for (size_t i = 0; i < apart; i += (U) * lanes) {                                                                  \
        UNROLLED for (int k = 0; k < (S) * (U); k++) {                                                                 \
            size_t at = k / (U) * apart + i + k % (U) * lanes;                                                         \
            V value = VALUE;                                                                                           \
            PUT(a + at, value);                                                                                        \
        }                                                                                                              \
    }
#define STORE(NAME, V, S, U, PUT)                                                                                      \
    static void NAME(float *restrict a, const float *restrict b, const float *restrict c, float s, size_t floats) {    \
        size_t apart = floats / (S), lanes = sizeof(V) / sizeof(float);                                                \
        V scale = s - (V){0};                                                                                          \
        if (c)                                                                                                         \
            TURNS(V, S, U, PUT, *(const V *)(b + at) + scale * *(const V *)(c + at))                                   \
        else if (b)                                                                                                    \
            TURNS(V, S, U, PUT, *(const V *)(b + at))                                                                  \
        else                                                                                                           \
            TURNS(V, S, U, PUT, scale)                                                                                 \
    }
#define KEPT8(TO, VALUE) (*(v8 *)(TO) = (VALUE))
#define KEPT16(TO, VALUE) (*(v16 *)(TO) = (VALUE))
STORE(store_v8, v8, 1, 4, KEPT8)
STORE(store_v8x4, v8, 4, 2, KEPT8)
STORE(store_v16, v16, 1, 4, KEPT16)
STORE(store_v16x4, v16, 4, 2, KEPT16)
#ifdef __AVX__
#define PAST8(TO, VALUE) _mm256_stream_ps((TO), (__m256)(VALUE))
STORE(past_v8, v8, 1, 4, PAST8)
STORE(past_v8x4, v8, 4, 4, PAST8)
#endif
#ifdef __AVX512F__
#define PAST16(TO, VALUE) _mm512_stream_ps((TO), (__m512)(VALUE))
STORE(past_v16, v16, 1, 4, PAST16)
STORE(past_v16x2, v16, 2, 2, PAST16)
STORE(past_v16x4, v16, 4, 2, PAST16)
#endif

static storer *const storers[] = {
    store_plain, store_library, store_v8, store_v8x4, store_v16, store_v16x4,
#ifdef __AVX__
    past_v8,     past_v8x4,
#endif
#ifdef __AVX512F__
    past_v16,    past_v16x2,    past_v16x4,
#endif
};

int ways(int reads) { return reads ? sizeof readers / sizeof *readers : sizeof storers / sizeof *storers; }

/* Passes over a block by a probe's way: kind 0 reads, and out[thread * 16] gets each thread's sum; 1, 2 and 3 write, copy
   and triad, of so many arrays. Returns the bytes of one pass. */
size_t probe(int kind, float *block, size_t bytes, int threads, long passes, int way, float *out) {
    int arrays = kind ? kind : 1;
    size_t share = bytes / sizeof(float) / arrays / threads / SHARE * SHARE, whole = share * threads;
#pragma omp parallel for num_threads(threads) schedule(static, 1)
    for (int thread = 0; thread < threads; thread++) {
        float *a = block + (arrays - 1) * whole + thread * share, total = 0;
        const float *b = arrays > 1 ? block + thread * share : NULL;
        const float *c = arrays > 2 ? block + whole + thread * share : NULL;
        for (long pass = 0; pass < passes; pass++) {
            if (kind)
                storers[way](a, b, c, arrays > 1 ? 0.5f : pass + 0.5f, share);
            else
                total += readers[way](a, share);
            AGAIN;
        }
        out[thread * LINE] = total;
    }
    return whole * arrays * sizeof(float);
}
