/* attack NAME [ARGUMENT…]: every rank but the last attacks; the last is the neighbour, who must not notice. */
#define _GNU_SOURCE
#include "attack.h"

#include <divisi.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

enum { kWords = 1 << 17, kAlternateStack = 1 << 16, kLongestMs = 1500 };

static uint64_t memory[kWords];
static _Thread_local sigjmp_buf back;

static void caught(int signo) {
    /* Alignment checks outlive a signal, and the C library's code does not pass them. */
    __asm__ volatile("pushfq\n\tandq $~0x40000, (%%rsp)\n\tpopfq" ::: "memory", "cc");
    siglongjmp(back, signo);
}

int attempt(void (*step)(void*), void* argument) {
    static const int signals[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGSYS};
    static _Thread_local char stack[kAlternateStack];
    const stack_t alternate = {.ss_sp = stack, .ss_size = sizeof stack};
    sigaltstack(&alternate, NULL);
    struct sigaction action = {.sa_handler = caught, .sa_flags = SA_ONSTACK | SA_NODEFER};
    for (size_t i = 0; i < sizeof signals / sizeof *signals; ++i) sigaction(signals[i], &action, NULL);
    const int signo = sigsetjmp(back, 1);
    if (signo == 0) step(argument);
    action.sa_handler = SIG_DFL;
    for (size_t i = 0; i < sizeof signals / sizeof *signals; ++i) sigaction(signals[i], &action, NULL);
    return signo;
}

long raw_call(long number, long a, long b, long c, long d, long e, long f) {
    register long r10 __asm__("r10") = d;
    register long r8 __asm__("r8") = e;
    register long r9 __asm__("r9") = f;
    long result = number;
    __asm__ volatile("syscall"
                     : "+a"(result)
                     : "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return result;
}

int broken(const char* what) {
    printf("BROKEN: %s\n", what);
    return 1;
}

void end_after(int milliseconds) {
    const struct itimerval limit = {.it_value = {.tv_sec = milliseconds / 1000, .tv_usec = milliseconds % 1000 * 1000}};
    setitimer(ITIMER_REAL, &limit, NULL);
}

long number_of(char** arguments, int index, long otherwise) {
    for (int i = 0; i <= index; ++i)
        if (arguments[i] == NULL) return otherwise;
    return strtol(arguments[index], NULL, 0);
}

static void fill(uint64_t seed) {
    for (uint64_t i = 0; i < kWords; ++i) memory[i] = seed ^ (i * 0x9e3779b97f4a7c15u);
}

static int intact(uint64_t seed) {
    for (uint64_t i = 0; i < kWords; ++i)
        if (memory[i] != (seed ^ (i * 0x9e3779b97f4a7c15u))) return 0;
    return 1;
}

static int attacks(int rank, char* gone) {
    struct divisi_status status;
    char byte = 0;
    const int result = divisi_try_recv(rank, &byte, 1, &status);
    if (result == DIVISI_EPEER || result == DIVISI_EPROTO) *gone = 1;
    return *gone == 0;
}

/* Computes, checks its memory and makes system calls as long as one of the others lives. */
static int be_the_neighbour(void) {
    const int attackers = divisi_size() - 1;
    char* const gone = calloc((size_t)attackers + 1, 1);
    int living = 1;
    for (uint64_t round = 0; living; ++round) {
        fill(round);
        usleep(1000);
        if (!intact(round)) return broken("the neighbour's memory changed");
        living = 0;
        for (int rank = 0; rank < attackers; ++rank) living += gone[rank] == 0 && attacks(rank, &gone[rank]);
    }
    const int file = open("/proc/self/maps", O_RDONLY);
    char line[8];
    if (file < 0 || read(file, line, sizeof line) != sizeof line) return broken("the neighbour cannot read a file");
    puts("neighbour ok");
    return 0;
}

static const struct attack* find(const char* name) {
    static const struct attack* const lists[] = {kCallAttacks, kProcessorAttacks, kStubAttacks, kWorldAttacks,
                                                 kResourceAttacks};
    for (size_t list = 0; list < sizeof lists / sizeof *lists; ++list)
        for (const struct attack* attack = lists[list]; attack->name != NULL; ++attack)
            if (strcmp(attack->name, name) == 0) return attack;
    return NULL;
}

int main(int argc, char** argv) {
    setvbuf(stdout, NULL, _IOLBF, 0);
    const struct attack* const attack = argc < 2 ? NULL : find(argv[1]);
    if (attack == NULL) {
        fprintf(stderr, "usage: attack NAME [ARGUMENT…]\n");
        return 2;
    }
    if (divisi_size() > 1 && divisi_rank() == divisi_size() - 1) return be_the_neighbour();
    end_after(kLongestMs);
    return attack->run(argv + 2);
}
