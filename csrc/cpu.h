/* Which instructions a kernel may use. A path is an argument of every kernel that has several: no globals.
 *
 * A body that gains from wider vectors stands in an .inc and is compiled once a path, under PATH(x) with the path's
 * suffix, by each_path.inc. The portable one takes what the compiler's target has:
 * SSE2 on x86-64, NEON on aarch64. Whatever is returned comes from whole-number or unfused float operations (the build
 * sets -ffp-contract=off), so all paths give the same bits. */
#ifndef KARYOFAST_CPU_H
#define KARYOFAST_CPU_H

enum { KF_PORTABLE, KF_AVX2, KF_AVX512 };

#if defined(__x86_64__) && defined(__GNUC__)
#define KF_X86_PATHS 1
#endif

/* What stands between the two may use these instructions. */
#define KF_PRAGMA(x) _Pragma(#x)
#ifdef __clang__
#define KF_BEGIN_TARGET(names) KF_PRAGMA(clang attribute push(__attribute__((target(names))), apply_to = function))
#define KF_END_TARGET KF_PRAGMA(clang attribute pop)
#define KF_WHOLE_VECTORS /* it takes the widest as it is */
#else
#define KF_BEGIN_TARGET(names) KF_PRAGMA(GCC push_options) KF_PRAGMA(GCC target(names))
#define KF_END_TARGET KF_PRAGMA(GCC pop_options)
#define KF_WHOLE_VECTORS ",prefer-vector-width=512"
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
