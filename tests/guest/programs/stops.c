// A program that stops itself, all its threads, and is let go on: by a timer that sends SIGCONT, which runs on
// meanwhile.
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "check.h"

enum { kThreads = 3, kPause = 150 };

static atomic_long counters[kThreads];
static atomic_int over;
static volatile sig_atomic_t continued;

static long now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void* count_on(void* counter) {
    while (!over) ++*(atomic_long*)counter;
    return NULL;
}

static void on_continue(int signo) {
    (void)signo;
    ++continued;
}

static void continue_after(int milliseconds) {
    static timer_t timer;
    static int made;
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGCONT};
    if (!made) CHECK(timer_create(CLOCK_MONOTONIC, &event, &timer) == 0);
    made = 1;
    const struct itimerspec when = {.it_value = {0, milliseconds * 1000000L}};
    CHECK(timer_settime(timer, 0, &when, NULL) == 0);
}

static void stop_and_go_on(void) {
    const long begin = now_ms();
    continue_after(kPause);
    CHECK(kill(getpid(), SIGSTOP) == 0);
    // Another thread may have taken it, and this one have come so far: but no further.
    usleep(1000);
    CHECK(now_ms() - begin >= kPause - 1);
}

// While it stands still, nothing of it runs: the counters of a sleeping program's other threads say so.
static void no_thread_runs(void) {
    pthread_t threads[kThreads];
    for (int i = 0; i < kThreads; ++i) CHECK(pthread_create(&threads[i], NULL, count_on, &counters[i]) == 0);
    while (!counters[0] || !counters[1] || !counters[2]) usleep(1000);
    stop_and_go_on();
    const long before = counters[0];
    for (int i = 0; i < 2000 && counters[0] == before; ++i) usleep(1000);
    CHECK(counters[0] != before);
    over = 1;
    for (int i = 0; i < kThreads; ++i) CHECK(pthread_join(threads[i], NULL) == 0);
}

// It continues a program even where nobody handles it, or all threads hold it back; a handler runs after that.
static void blocked_and_handled(void) {
    sigset_t set, pending;
    sigemptyset(&set);
    sigaddset(&set, SIGCONT);
    CHECK(signal(SIGCONT, on_continue) != SIG_ERR);
    CHECK(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
    stop_and_go_on();
    CHECK(continued == 0 && sigpending(&pending) == 0 && sigismember(&pending, SIGCONT));
    CHECK(sigprocmask(SIG_UNBLOCK, &set, NULL) == 0);
    CHECK(continued == 1);
    stop_and_go_on();
    for (int i = 0; i < 2000 && continued < 2; ++i) usleep(1000);
    CHECK(continued == 2);
}

// Each undoes the other, where that still waits.
static void the_later_one_counts(void) {
    sigset_t set, pending;
    sigemptyset(&set);
    sigaddset(&set, SIGCONT);
    sigaddset(&set, SIGTSTP);
    CHECK(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
    CHECK(raise(SIGTSTP) == 0 && sigpending(&pending) == 0 && sigismember(&pending, SIGTSTP));
    CHECK(raise(SIGCONT) == 0 && sigpending(&pending) == 0);
    CHECK(!sigismember(&pending, SIGTSTP) && sigismember(&pending, SIGCONT));
    CHECK(raise(SIGTSTP) == 0 && sigpending(&pending) == 0);
    CHECK(sigismember(&pending, SIGTSTP) && !sigismember(&pending, SIGCONT));
    CHECK(raise(SIGCONT) == 0);
    CHECK(sigprocmask(SIG_UNBLOCK, &set, NULL) == 0);
}

// A handler of SIGTSTP, as an editor has one, goes before the stop.
static volatile sig_atomic_t asked;
static void on_stop(int signo) {
    (void)signo;
    ++asked;
}

static void handled_instead(void) {
    CHECK(signal(SIGTSTP, on_stop) != SIG_ERR);
    CHECK(raise(SIGTSTP) == 0 && asked == 1);
    CHECK(signal(SIGTTIN, SIG_IGN) != SIG_ERR && raise(SIGTTIN) == 0);
    CHECK_ERRNO(sigaction(SIGSTOP, &(struct sigaction){.sa_handler = on_stop}, NULL), EINVAL);
}

int main(void) {
    stop_and_go_on();
    no_thread_runs();
    blocked_and_handled();
    the_later_one_counts();
    handled_instead();
    return check_end();
}
