/* SPDX-License-Identifier: Apache-2.0 */
/* The walker for x86-64-v3: 32 bytes at a time. Chosen at run time, see metric_json.c. */
#include "model/metric_json_scan.h"

#if HALE_SCAN_HAVE_AVX2
#include <immintrin.h>

#define WALK_TARGET __attribute__((target("avx2,bmi")))
#define WALK_NAME   hale_scan_walk_avx2

/* As hale_scan_plain. Compared as signed bytes, those above 0x7f are below blank too. */
WALK_TARGET static inline const char *plain_end(const char *p, const char *end)
{
    const __m256i quote = _mm256_set1_epi8('"');
    const __m256i slash = _mm256_set1_epi8('\\');
    const __m256i blank = _mm256_set1_epi8(' ');
    for (; end - p >= 32; p += 32) {
        __m256i v = _mm256_loadu_si256((const __m256i *)(const void *)p);
        __m256i hit = _mm256_or_si256(
            _mm256_or_si256(_mm256_cmpeq_epi8(v, quote), _mm256_cmpeq_epi8(v, slash)),
            _mm256_cmpgt_epi8(blank, v));
        unsigned mask = (unsigned)_mm256_movemask_epi8(hit);
        if (__builtin_expect(mask != 0, 1)) {
            p += __builtin_ctz(mask);
            return *p == '"' ? p : NULL;
        }
    }
    return hale_scan_plain(p, end);
}

#include "model/metric_json_walk.inc"
#else
typedef int hale_scan_no_avx2; /* a translation unit must not be empty */
#endif
