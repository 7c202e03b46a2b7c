// Vector and floating-point state outlives system calls, sleeps and switches between threads, upper halves included.
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "check.h"

typedef struct {
    unsigned char bytes[16][32];
} vectors;

#define ALL_REGISTERS(operation)                                                                            \
    operation(0) operation(1) operation(2) operation(3) operation(4) operation(5) operation(6) operation(7) \
        operation(8) operation(9) operation(10) operation(11) operation(12) operation(13) operation(14) operation(15)
#define LOAD_YMM(n) "vmovdqu " #n "*32(%[in]), %%ymm" #n "\n"
#define STORE_YMM(n) "vmovdqu %%ymm" #n ", " #n "*32(%[out])\n"
#define LOAD_XMM(n) "movdqu " #n "*32(%[in]), %%xmm" #n "\n"
#define STORE_XMM(n) "movdqu %%xmm" #n ", " #n "*32(%[out])\n"
#define CLOBBERS                                                                                                     \
    "rcx", "r11", "memory", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", \
        "xmm11", "xmm12", "xmm13", "xmm14", "xmm15"

static long through_ymm(long number, const void* first, const vectors* in, vectors* out) {
    long result;
    __asm__ volatile(ALL_REGISTERS(LOAD_YMM) "syscall\n" ALL_REGISTERS(STORE_YMM)
                     : "=a"(result)
                     : "a"(number), "D"(first), "S"(0), [in] "r"(in), [out] "r"(out)
                     : CLOBBERS);
    return result;
}

static long through_xmm(long number, const void* first, const vectors* in, vectors* out) {
    long result;
    __asm__ volatile(ALL_REGISTERS(LOAD_XMM) "syscall\n" ALL_REGISTERS(STORE_XMM)
                     : "=a"(result)
                     : "a"(number), "D"(first), "S"(0), [in] "r"(in), [out] "r"(out)
                     : CLOBBERS);
    return result;
}

static int has_avx;

static void fill(vectors* state, unsigned seed) {
    for (unsigned i = 0; i < sizeof *state; ++i) ((unsigned char*)state)[i] = (unsigned char)(i * 7 + seed);
}

static int survives(long number, const void* first, unsigned seed) {
    vectors in, out;
    fill(&in, seed);
    memset(&out, 0, sizeof out);
    if (has_avx) {
        through_ymm(number, first, &in, &out);
        return memcmp(&in, &out, sizeof in) == 0;
    }
    through_xmm(number, first, &in, &out);
    for (int i = 0; i < 16; ++i)
        if (memcmp(in.bytes[i], out.bytes[i], 16) != 0) return 0;
    return 1;
}

static void* worker(void* number) {
    const unsigned seed = (unsigned)(uintptr_t)number * 13 + 1;
    const struct timespec pause = {0, 100000};
    for (unsigned i = 0; i < 60; ++i) {
        CHECK(survives(SYS_sched_yield, NULL, seed + i));
        if (i % 10 == 0) CHECK(survives(SYS_nanosleep, &pause, seed + i));
    }
    return NULL;
}

static void control_words(void) {
    // Rounding towards zero, all exceptions masked, in both units.
    uint32_t mxcsr = 0x7f80, mxcsr_after = 0, mxcsr_default = 0x1f80;
    uint16_t control = 0x0f7f, control_after = 0, control_default = 0x037f;
    long double kept = 1.0L / 3.0L, kept_after = 0;
    __asm__ volatile(
        "ldmxcsr %[mxcsr]\n fldcw %[control]\n fldt %[kept]\n"
        "syscall\n"
        "fstpt %[kept_after]\n stmxcsr %[mxcsr_after]\n fnstcw %[control_after]\n"
        "ldmxcsr %[mxcsr_default]\n fldcw %[control_default]\n"
        : [mxcsr_after] "=m"(mxcsr_after), [control_after] "=m"(control_after), [kept_after] "=m"(kept_after)
        : "a"(SYS_sched_yield), [mxcsr] "m"(mxcsr), [control] "m"(control), [kept] "m"(kept),
          [mxcsr_default] "m"(mxcsr_default), [control_default] "m"(control_default)
        : "rcx", "r11", "memory");
    CHECK(mxcsr_after == mxcsr && control_after == control && kept == kept_after);
}

int main(void) {
    __builtin_cpu_init();
    has_avx = __builtin_cpu_supports("avx") != 0;
    printf("avx %d, avx2 %d, fma %d\n", has_avx, __builtin_cpu_supports("avx2") != 0,
           __builtin_cpu_supports("fma") != 0);
    CHECK(survives(SYS_getppid, NULL, 3));
    control_words();
    pthread_t threads[12];
    for (uintptr_t i = 0; i < 12; ++i) pthread_create(&threads[i], NULL, worker, (void*)i);
    worker((void*)99);
    for (int i = 0; i < 12; ++i) pthread_join(threads[i], NULL);
    return check_end();
}
