/* Which instructions a kernel may use. A path is an argument of every kernel that has several: no globals.
 *
 * A body that gains from wider vectors stands in an .inc and is compiled once a path, under PATH(x) with the path's
 * suffix, by each_path.inc. The portable one takes what the compiler's target has:
 * SSE2 on x86-64, NEON on aarch64. Whatever is returned comes from whole-number or unfused float operations (the build
 * sets -ffp-contract=off), so all paths give the same bits. */
#ifndef KARYOFAST_CPU_H
#define KARYOFAST_CPU_H

enum { KF_PORTABLE, KF_AVX2, KF_AVX512 };

/* Clang has no pragma for the target of functions that follow: there the portable path stands alone. */
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define KF_X86_PATHS 1
#endif

/* Before a loop over lanes of a number that the compiler knows: it is to become vectors, not to be unrolled before. */
#if defined(__GNUC__) && !defined(__clang__)
#define KF_ONE_BY_ONE _Pragma("GCC unroll 1")
#else
#define KF_ONE_BY_ONE
#endif

static inline int kf_path_there(int path) {
    if (path == KF_PORTABLE) return 1;
#ifdef KF_X86_PATHS
    __builtin_cpu_init();
    const int avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
                     __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2");
    if (path == KF_AVX2) return avx2;
    if (path == KF_AVX512)
        return avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
               __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
#endif
    return 0;
}

#endif
