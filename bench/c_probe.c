/* An independent read probe in C, to hold the read roof against: bench/c_probe.py builds and runs it.

   Each thread adds up its contiguous share of a block, `passes` times; with `streams` 4 it walks four quarters of its
   share side by side. Eight accumulators of 16 floats a stream of work, as the compiler vectorises them
   (-O3 -march=native -fopenmp -ffast-math). Bytes: the block's, once per pass. Shares are whole multiples of 2 KiB. */
#include <stddef.h>

enum { LANES = 16, SUMS = 8, TURN = LANES * SUMS, LINE = 16 };

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

/* Returns the bytes of one pass; writes each thread's sum to out[thread * 16]. */
size_t read_block(const float *block, size_t bytes, int threads, long passes, int streams, float *out) {
    size_t share = bytes / sizeof(float) / threads / (4 * TURN) * (4 * TURN);
#pragma omp parallel for num_threads(threads) schedule(static, 1)
    for (int thread = 0; thread < threads; thread++) {
        float total = 0;
        for (long pass = 0; pass < passes; pass++) {
            total += walk(block + thread * share, share, streams);
            __asm__ volatile("" ::: "memory"); /* every pass reads again */
        }
        out[thread * LINE] = total;
    }
    return share * threads * sizeof(float);
}
