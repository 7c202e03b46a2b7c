// Much static memory, deep stacks, large frames.
#include <alloca.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdint.h>

#include "check.h"

static unsigned char bss[48 << 20];
static unsigned char data[3 << 20] = {1, 2, 3};

__attribute__((noinline)) static unsigned long descend(unsigned depth) {
    volatile unsigned char frame[1000];
    frame[depth % 1000] = (unsigned char)depth;
    return depth == 0 ? 0 : descend(depth - 1) + frame[depth % 1000];
}

__attribute__((noinline)) static int wide_frame(void) {
    volatile char* frame = alloca(2 << 20);
    for (unsigned i = 0; i < 2 << 20; i += 4096) frame[i] = (char)(i >> 12);
    return frame[5 << 12];
}

static void* thread_body(void* unused) {
    (void)unused;
    return (void*)(uintptr_t)descend(50);
}

static jmp_buf back;
__attribute__((noinline)) static int jump_from(int depth) {
    volatile char frame[64] = {0};
    if (depth < 0) return 0;
    if (depth == *frame) longjmp(back, 7);
    return jump_from(depth - 1) + *frame;
}

int main(void) {
    for (size_t i = 0; i < sizeof bss; i += 4096) CHECK(bss[i] == 0);
    for (size_t i = 0; i < sizeof bss; i += 4096) bss[i] = (unsigned char)(i >> 12);
    unsigned long sum = 0;
    for (size_t i = 0; i < sizeof bss; i += 4096) sum += bss[i];
    printf("%lu %d %d\n", sum, data[2], data[sizeof data - 1]);
    printf("%lu\n", descend(6000));
    CHECK(wide_frame() == 5);
    pthread_t thread;
    void* result;
    pthread_create(&thread, NULL, thread_body, NULL);
    pthread_join(thread, &result);
    printf("%lu\n", (unsigned long)(uintptr_t)result);
    volatile int passes = 0;
    const int value = setjmp(back);
    ++passes;
    if (value == 0) CHECK(jump_from(100) == 99);
    CHECK(value == 7 && passes == 2);
    return check_end();
}
