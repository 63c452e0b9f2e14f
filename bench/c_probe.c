/* Independent probes in C, to hold our roofs against: bench/c_probe.py builds and runs them.

   A block is cut into as many parts as the probe has arrays, each thread has a contiguous share of each, whole multiples
   of 2 KiB, and walks it `passes` times. Bytes are those loaded and stored, once per pass, as in STREAM; without
   write-allocate. Each probe returns the bytes of one pass.

   read    adds up the block; `way` is the number of streams: 1, or 4 quarters of the share side by side. Eight
           accumulators of 16 floats, as the compiler vectorises them (-O3 -march=native -fopenmp -ffast-math)
   write   fills the block, with another number in every pass
   copy    first half to second half
   triad   a = b + s*c; b and c the first two thirds, a the last
   These store as the compiler likes (`way` 0), or past the caches (`way` 1) where there is AVX. */
#include <stddef.h>
#ifdef __AVX__
#include <immintrin.h>
#endif

enum { LANES = 16, SUMS = 8, TURN = LANES * SUMS, LINE = 16 };
#define AGAIN __asm__ volatile("" ::: "memory") /* every pass loads and stores again */

static size_t share_of(size_t bytes, int arrays, int threads) {
    return bytes / sizeof(float) / arrays / threads / (4 * TURN) * (4 * TURN);
}

static float walk(const float *from, size_t floats, int streams) {
    float sums[SUMS][LANES] = {{0}};
    size_t apart = floats / streams;
    if (streams == 1) {
        for (size_t i = 0; i < apart; i += TURN)
            for (int s = 0; s < SUMS; s++)
                for (int lane = 0; lane < LANES; lane++)
                    sums[s][lane] += from[i + s * LANES + lane];
    } else {
        for (size_t i = 0; i < apart; i += 2 * LANES)
            for (int s = 0; s < SUMS; s++)
                for (int lane = 0; lane < LANES; lane++)
                    sums[s][lane] += from[(s / 2) * apart + i + (s % 2) * LANES + lane];
    }
    float total = 0;
    for (int s = 0; s < SUMS; s++)
        for (int lane = 0; lane < LANES; lane++)
            total += sums[s][lane];
    return total;
}

/* out[thread * 16] gets each thread's sum. */
size_t probe_read(float *block, size_t bytes, int threads, long passes, int way, float *out) {
    size_t share = share_of(bytes, 1, threads);
#pragma omp parallel for num_threads(threads) schedule(static, 1)
    for (int thread = 0; thread < threads; thread++) {
        float total = 0;
        for (long pass = 0; pass < passes; pass++) {
            total += walk(block + thread * share, share, way);
            AGAIN;
        }
        out[thread * LINE] = total;
    }
    return share * threads * sizeof(float);
}

/* a[i] = b[i] + s * c[i], or what of it there is: without c a copy, without b too a fill with s. */
static void store(float *restrict a, const float *restrict b, const float *restrict c, float s, size_t floats, int way) {
#ifdef __AVX__
    if (way) {
        __m256 scale = _mm256_set1_ps(s);
        for (size_t i = 0; i < floats; i += 8) {
            __m256 value = scale;
            if (b)
                value = _mm256_load_ps(b + i);
            if (c)
                value = _mm256_add_ps(value, _mm256_mul_ps(scale, _mm256_load_ps(c + i)));
            _mm256_stream_ps(a + i, value);
        }
        return;
    }
#endif
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

static size_t storing(float *block, size_t bytes, int threads, long passes, int way, int arrays) {
    size_t share = share_of(bytes, arrays, threads), whole = share * threads;
#pragma omp parallel for num_threads(threads) schedule(static, 1)
    for (int thread = 0; thread < threads; thread++) {
        float *a = block + (arrays - 1) * whole + thread * share;
        const float *b = arrays > 1 ? block + thread * share : NULL;
        const float *c = arrays > 2 ? block + whole + thread * share : NULL;
        for (long pass = 0; pass < passes; pass++) {
            store(a, b, c, arrays > 1 ? 0.5f : pass + 0.5f, share, way);
            AGAIN;
        }
    }
    return whole * arrays * sizeof(float);
}

size_t probe_write(float *block, size_t bytes, int threads, long passes, int way, float *out) {
    (void)out;
    return storing(block, bytes, threads, passes, way, 1);
}

size_t probe_copy(float *block, size_t bytes, int threads, long passes, int way, float *out) {
    (void)out;
    return storing(block, bytes, threads, passes, way, 2);
}

size_t probe_triad(float *block, size_t bytes, int threads, long passes, int way, float *out) {
    (void)out;
    return storing(block, bytes, threads, passes, way, 3);
}
