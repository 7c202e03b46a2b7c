// Random system calls with random arguments, from several threads at once over the same memory and descriptors.
//
//   call_fuzz SEED CALLS THREADS
//
// It ends with 0 when all calls were made: nothing is said about their results. Kept apart is only what would end or
// derail the program itself: its own image and stacks are not unmapped, it does not exit, and every signal has a
// handler. Run by run_fuzz.py.
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum { kArenaBytes = 4 << 20, kReservedBytes = 64 << 20, kMaxThreads = 64, kResetEvery = 20000, kPathBytes = 64 };

static char* arena;     // readable and writable, then pages of no access, then a read-only one
static char* reserved;  // where mappings come and go
static char* paths;     // kPaths names
static char home[4096];
static pid_t pid;
static volatile pid_t tids[kMaxThreads];
static int threads;
static long calls_each;
static uint64_t first_seed;

static const char* const kPaths[] = {"f0",
                                     "f1",
                                     "d0",
                                     "d0/f",
                                     "d0/../f0",
                                     "l0",
                                     "l0/x",
                                     ".",
                                     "..",
                                     "../..",
                                     "",
                                     "/",
                                     "/etc/passwd",
                                     "/dev/zero",
                                     "/dev/null",
                                     "/dev/urandom",
                                     "/proc/self/maps",
                                     "/proc/self/fd",
                                     "/proc/self/fd/5",
                                     "/proc/self/status",
                                     "/proc/self/exe",
                                     "/proc/cpuinfo",
                                     "/sys/devices/system/cpu",
                                     "/sys/devices/system/cpu/online",
                                     "/proc/self/task",
                                     "/tmp/f",
                                     "f0/",
                                     "./././f1",
                                     "/proc/../etc/hostname",
                                     "nothing/here"};
enum { kPathCount = sizeof kPaths / sizeof kPaths[0] };

static uint64_t next(uint64_t* state) {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state * 0x2545f4914f6cdd1dULL;
}

static void on_signal(int number) {
    if (number != SIGALRM) return;
    // Whoever waits in a call shall not wait for ever.
    for (int i = 0; i < threads; ++i) {
        if (tids[i] != 0 && tids[i] != syscall(SYS_gettid)) syscall(SYS_tgkill, pid, tids[i], SIGUSR1);
    }
}

static void arm(void) {
    const struct itimerval soon = {{0, 3000}, {0, 3000}};
    setitimer(ITIMER_REAL, &soon, NULL);
}

static void handle_all(void) {
    struct sigaction action = {.sa_handler = on_signal};
    for (int number = 1; number <= 64; ++number) sigaction(number, &action, NULL);
}

static void unblock_all(void) {
    const uint64_t none = 0;
    syscall(SYS_rt_sigprocmask, SIG_SETMASK, &none, NULL, 8L);
}

// Back to where a run starts, so that a long one does not end with everything closed and full.
static void reset(void) {
    syscall(SYS_close_range, 0, ~0U, 0);
    for (int i = 0; i < 3; ++i) open("/dev/null", O_RDWR);
    if (chdir(home) != 0) _exit(3);
    unlink("f0");
    unlink("f1");
    unlink("d0/f");
    rmdir("d0");
    unlink("l0");
    close(open("f0", O_RDWR | O_CREAT, 0600));
    mkdir("d0", 0700);
    if (symlink("d0", "l0") != 0 && access("l0", F_OK) != 0) _exit(4);
    for (int i = 0; i < 3; ++i) open("f0", O_RDWR);
    int ends[2];
    if (pipe2(ends, O_NONBLOCK) != 0) return;
    munmap(reserved, kReservedBytes);
    mmap(reserved, kReservedBytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
    mmap(arena, kArenaBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
}

static uint64_t edge(uint64_t* state) {
    static const uint64_t kEdges[] = {0,
                                      1,
                                      2,
                                      8,
                                      16,
                                      24,
                                      4095,
                                      4096,
                                      4097,
                                      65536,
                                      0x7fffffff,
                                      0x80000000,
                                      0xffffffff,
                                      0x100000000,
                                      0x1e00000000,
                                      0x1f00000000,
                                      0x2000000000,
                                      0x7fffffffffff,
                                      0x7fffffffffffffff,
                                      0x8000000000000000,
                                      0xffffffff80000000,
                                      0xfffffffffffff000,
                                      0xffffffffffffffff};
    const uint64_t r = next(state);
    if (r % 3 == 0) return 1ULL << ((r >> 8) & 63);
    return kEdges[(r >> 8) % (sizeof kEdges / sizeof kEdges[0])] - (r >> 40 & 1);
}

static uint64_t pointer(uint64_t* state) {
    const uint64_t r = next(state);
    const uint64_t offset = (r >> 16) % kArenaBytes;
    switch (r & 15) {
        case 0: return (uint64_t)arena + kArenaBytes - (r >> 16) % 64;        // half of it is out of reach
        case 1: return (uint64_t)arena + kArenaBytes + 8192 + offset % 4096;  // read-only
        case 2: return (uint64_t)reserved + (r >> 16) % kReservedBytes;
        case 3: return edge(state);
        case 4: return 0;
        case 5: return (uint64_t)arena + offset;  // askew
        case 6: return (uint64_t)paths + (r >> 16) % kPathCount * kPathBytes;
        default: return (uint64_t)arena + (offset & ~7ULL);
    }
}

static uint64_t argument(uint64_t* state) {
    const uint64_t r = next(state);
    switch (r & 7) {
        case 0: return (r >> 8) % 24;
        case 1: return edge(state);
        case 2: return (r >> 8) & 0xff;
        case 3: return r >> 8;
        case 4: return (r >> 8) % 5000;
        default: return pointer(state);
    }
}

static uint64_t call_number(uint64_t* state) {
    const uint64_t r = next(state);
    if ((r & 63) == 0) return edge(state);
    if ((r & 63) == 1) return r >> 8;
    if ((r & 7) == 2) return 424 + (r >> 8) % 40;
    return (r >> 8) % 336;
}

// An address range that may go, come and change: in the reserve, in the arena, or far from all that is in use.
static void keep_to_reserve(uint64_t* args, size_t length_at, uint64_t* state) {
    const uint64_t r = next(state);
    uint64_t length = (r >> 8) % (1 << 20);
    args[0] = (uint64_t)reserved + (r >> 28) % (kReservedBytes - (1 << 20));
    if ((r & 3) == 0) args[0] = (uint64_t)arena + (r >> 28) % (kArenaBytes / 2);
    if ((r & 7) != 1) args[0] &= ~4095ULL;
    if ((r & 63) == 2) args[0] = 0x100000000 + ((r >> 28) & 0xfffff000);
    if ((r & 63) == 3) length = edge(state), args[0] = 0x2000000000 + (r >> 40);
    args[length_at] = length;
}

// Which argument says how much is moved, or in how many pieces; 0 for other calls. What is written stays small: a
// sparse file that is copied whole would fill the host's disk.
static int amount_at(uint64_t number) {
    switch (number) {
        case SYS_read:
        case SYS_write:
        case SYS_pread64:
        case SYS_pwrite64:
        case SYS_sendto:
        case SYS_recvfrom:
        case SYS_readahead:
        case SYS_tee:
        case SYS_readv:
        case SYS_writev:
        case SYS_preadv:
        case SYS_pwritev:
        case SYS_preadv2:
        case SYS_pwritev2: return 2;
        case SYS_sendfile: return 3;
        case SYS_splice:
        case SYS_copy_file_range: return 4;
        default: return 0;
    }
}

static int harmless_signal(uint64_t value) {
    return value == SIGUSR1 || value == SIGUSR2 || value == SIGCHLD || value == (uint64_t)SIGRTMAX;
}

// Makes of the arguments what does not end the program; 0 where the call is not to be made.
static int tame(uint64_t number, uint64_t* args, uint64_t* state) {
    static uint64_t quiet_mask;
    const uint64_t r = next(state);
    switch (number) {
        case SYS_exit:
        case SYS_exit_group:
        case 511:  // divisi_end_job
        case SYS_rt_sigreturn:
        case SYS_setitimer:
        case SYS_alarm:
        case SYS_vfork:
        case SYS_set_tid_address: return 0;
        case SYS_clone: args[0] &= ~0x10000ULL; return 1;  // no threads: they would run on any stack
        case SYS_clone3: args[0] = r & 1 ? 0 : (uint64_t)arena + kArenaBytes - 16; return 1;
        case SYS_arch_prctl: args[0] = r & 1 ? 0x1003 : r >> 8; return args[0] != 0x1002;
        case SYS_mmap:
            keep_to_reserve(args, 1, state);
            if ((r & 3) != 0) args[3] = (args[3] & ~15ULL) | 2 | (r & 4 ? 0x20 : 0) | (r & 8 ? 0x10 : 0);
            if ((r & 48) == 16) args[5] = (r >> 8 & 7) << 12;
            args[3] &= ~0x8000ULL;  // not ahead of use: the memory is soon full otherwise
            return 1;
        case SYS_munmap:
        case SYS_mprotect:
        case SYS_pkey_mprotect:
        case SYS_remap_file_pages:
        case SYS_madvise:
        case SYS_msync:
        case SYS_mincore:
        case SYS_mbind: keep_to_reserve(args, 1, state); return 1;
        case SYS_mremap:
            keep_to_reserve(args, 1, state);
            args[2] = (r >> 8) % (1 << 20);
            args[4] = (uint64_t)reserved + ((r >> 32) % (kReservedBytes / 2) & ~4095ULL);
            return 1;
        case SYS_rt_sigaction: args[1] = r & 1 ? 0 : (uint64_t)arena + kArenaBytes; return 1;
        case SYS_kill: args[0] = r & 1 ? (uint64_t)pid : args[0]; return harmless_signal(args[1]) || args[1] == 0;
        case SYS_tkill: return harmless_signal(args[1]) || args[1] > 64;
        case SYS_tgkill: args[0] = r & 1 ? (uint64_t)pid : args[0]; return harmless_signal(args[2]) || args[2] > 64;
        case SYS_rt_sigqueueinfo: return harmless_signal(args[1]) || args[1] > 64;
        case SYS_rt_tgsigqueueinfo: return harmless_signal(args[2]) || args[2] > 64;
        // What it may do would be less and less otherwise, and of processor time there would be an end.
        case SYS_setrlimit:
        case SYS_prlimit64: {
            const int resource_at = number == SYS_prlimit64;
            if (r & 1) {
                args[resource_at] = RLIMIT_CORE;
            } else {
                args[resource_at * 2 + !resource_at] = (uint64_t)arena + kArenaBytes;
            }
            return 1;
        }
        case SYS_timer_create: args[1] = r & 1 ? 0 : (uint64_t)arena + kArenaBytes - 16; return 1;
        case SYS_rt_sigprocmask: args[1] = r & 1 ? (uint64_t)&quiet_mask : (uint64_t)arena + kArenaBytes; return 1;
        case SYS_rt_sigsuspend: args[0] = r & 1 ? (uint64_t)&quiet_mask : (uint64_t)arena + kArenaBytes; return 1;
        case SYS_ppoll: args[3] = r & 1 ? 0 : (uint64_t)&quiet_mask; return 1;
        case SYS_pselect6: args[5] = r & 1 ? 0 : (uint64_t)arena + kArenaBytes - 8; return 1;
        case SYS_epoll_pwait:
        case SYS_epoll_pwait2: args[4] = r & 1 ? 0 : (uint64_t)&quiet_mask; return 1;
        case SYS_fallocate:
            args[3] = (r >> 8) % 65536;
            args[2] = (r >> 24) % 65536;
            return 1;
        default:
            if (amount_at(number) != 0 && (r & 7) != 0) args[amount_at(number)] %= 9000;
            if (amount_at(number) != 0 && (r & 7) == 0) args[amount_at(number)] = 0xffffffffffffffff >> (r >> 58);
            // Far more than there is of memory, but never of a file.
            if (amount_at(number) > 2) args[amount_at(number)] %= 9000;
            return 1;
    }
}

static void fuzz(uint64_t seed, long count, int leader) {
    uint64_t state = seed * 0x9e3779b97f4a7c15ULL + 1;
    for (int i = 0; i < 16; ++i) next(&state);
    for (long done = 0; done < count; ++done) {
        if (leader && done % kResetEvery == 0) reset();
        const uint64_t number = call_number(&state);
        uint64_t args[6];
        for (int i = 0; i < 6; ++i) args[i] = argument(&state);
        if ((number < 20 || number == SYS_fcntl || number == SYS_ioctl) && (state & 3) != 0)
            args[0] = (state >> 8) % 12;
        if (!tame(number, args, &state)) continue;
        syscall((long)number, args[0], args[1], args[2], args[3], args[4], args[5]);
        if ((done & 63) == 0) unblock_all();
    }
}

static void* worker(void* index_pointer) {
    const int index = (int)(intptr_t)index_pointer;
    tids[index] = (pid_t)syscall(SYS_gettid);
    fuzz(first_seed * 1000 + (uint64_t)index, calls_each, index == 0);
    tids[index] = 0;
    return NULL;
}

int main(int argc, char** argv) {
    if (argc != 4) return 2;
    first_seed = strtoull(argv[1], NULL, 0);
    threads = atoi(argv[3]);
    if (threads < 1 || threads > kMaxThreads) return 2;
    calls_each = atol(argv[2]) / threads;
    pid = getpid();
    if (getcwd(home, sizeof home) == NULL) return 2;
    arena = mmap(NULL, kArenaBytes + 12288, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    reserved = mmap(NULL, kReservedBytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    paths = mmap(NULL, kPathCount * kPathBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (arena == MAP_FAILED || reserved == MAP_FAILED || paths == MAP_FAILED) return 2;
    // Not unmapped: the next mapping without MAP_FIXED would fill the hole, and what tame() lets calls read from there,
    // so that they fail, would be served: signal actions of zeros, threads on any stack.
    mprotect(arena + kArenaBytes, 8192, PROT_NONE);
    mprotect(arena + kArenaBytes + 8192, 4096, PROT_READ);
    for (int i = 0; i < kPathCount; ++i) strcpy(paths + i * kPathBytes, kPaths[i]);
    handle_all();
    arm();
    pthread_t ids[kMaxThreads];
    for (int i = 1; i < threads; ++i) {
        if (pthread_create(&ids[i], NULL, worker, (void*)(intptr_t)i) != 0) return 2;
    }
    worker((void*)0);
    for (int i = 1; i < threads; ++i) pthread_join(ids[i], NULL);
    _exit(0);
}
