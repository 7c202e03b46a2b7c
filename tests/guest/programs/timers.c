// Timers that a program makes, and processor time: of the program, of threads, and timers that go by it.
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/times.h>
#include <time.h>
#include <unistd.h>

#include "check.h"

#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif

static volatile sig_atomic_t fired, value, code;
static volatile pid_t fired_on;

static void on_timer(int number, siginfo_t* info, void* context) {
    (void)number;
    (void)context;
    value = info->si_value.sival_int;
    code = info->si_code;
    fired_on = (pid_t)syscall(SYS_gettid);
    ++fired;
}

static void install(int number) {
    struct sigaction action = {.sa_sigaction = on_timer, .sa_flags = SA_SIGINFO};
    sigemptyset(&action.sa_mask);
    CHECK(sigaction(number, &action, NULL) == 0);
    fired = 0;
}

static void nap(long ms) {
    struct timespec left = {ms / 1000, ms % 1000 * 1000000};
    while (nanosleep(&left, &left) != 0) {
    }
}

static void one_shot(void) {
    install(SIGUSR1);
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1, .sigev_value.sival_int = 4711};
    timer_t timer;
    CHECK(timer_create(CLOCK_MONOTONIC, &event, &timer) == 0);
    struct itimerspec setting = {{0, 0}, {0, 5000000}}, now;
    CHECK(timer_settime(timer, 0, &setting, NULL) == 0);
    CHECK(timer_gettime(timer, &now) == 0 && now.it_interval.tv_nsec == 0);
    nap(40);
    CHECK(fired == 1 && value == 4711 && code == SI_TIMER && timer_getoverrun(timer) == 0);
    CHECK(timer_gettime(timer, &now) == 0 && now.it_value.tv_sec == 0 && now.it_value.tv_nsec == 0);
    // By a point in time; a past one at once.
    clock_gettime(CLOCK_MONOTONIC, &setting.it_value);
    CHECK(timer_settime(timer, TIMER_ABSTIME, &setting, NULL) == 0);
    nap(20);
    CHECK(fired == 2);
    setting.it_value.tv_sec += 100;
    CHECK(timer_settime(timer, TIMER_ABSTIME, &setting, NULL) == 0);
    CHECK(timer_gettime(timer, &now) == 0 && now.it_value.tv_sec >= 98 && now.it_value.tv_sec <= 100);
    struct itimerspec off = {}, old;
    CHECK(timer_settime(timer, 0, &off, &old) == 0 && old.it_value.tv_sec >= 98);
    CHECK(timer_delete(timer) == 0);
    CHECK_ERRNO(syscall(SYS_timer_delete, 12345), EINVAL);
}

static void refused(void) {
    timer_t timer;
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = 99};
    CHECK_ERRNO(timer_create(CLOCK_MONOTONIC, &event, &timer), EINVAL);
    event.sigev_signo = SIGUSR1;
    CHECK_ERRNO(timer_create(77, &event, &timer), EINVAL);
    CHECK_ERRNO(syscall(SYS_timer_create, CLOCK_MONOTONIC, 16L, &timer), EFAULT);
    CHECK_ERRNO(syscall(SYS_timer_gettime, 12345, &event), EINVAL);
    CHECK_ERRNO(syscall(SYS_timer_getoverrun, 12345), EINVAL);
    event.sigev_notify = SIGEV_THREAD_ID;
    event.sigev_notify_thread_id = 1;
    CHECK_ERRNO(timer_create(CLOCK_MONOTONIC, &event, &timer), EINVAL);
    CHECK(timer_create(CLOCK_REALTIME, NULL, &timer) == 0);
    struct itimerspec wrong = {{0, 0}, {0, 1000000000}};
    CHECK_ERRNO(timer_settime(timer, 0, &wrong, NULL), EINVAL);
    CHECK(timer_delete(timer) == 0);
}

// While its signal is blocked, expiries are counted: one signal, and how many more it stands for.
static void overruns(void) {
    install(SIGRTMIN);
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGRTMIN);
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN};
    timer_t timer;
    CHECK(timer_create(CLOCK_MONOTONIC, &event, &timer) == 0);
    CHECK(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
    const struct itimerspec fast = {{0, 1000000}, {0, 1000000}}, off = {};
    CHECK(timer_settime(timer, 0, &fast, NULL) == 0);
    nap(60);
    CHECK(fired == 0);
    siginfo_t info;
    CHECK(sigwaitinfo(&set, &info) == SIGRTMIN && info.si_code == SI_TIMER);
    CHECK(info.si_overrun >= 20 && timer_getoverrun(timer) == info.si_overrun);
    CHECK(timer_settime(timer, 0, &off, NULL) == 0 && timer_delete(timer) == 0);
    const struct timespec none = {};
    sigtimedwait(&set, NULL, &none);
    CHECK(sigprocmask(SIG_UNBLOCK, &set, NULL) == 0);
}

static volatile int stop;
static pid_t target;

static void* waiting_thread(void* unused) {
    (void)unused;
    target = (pid_t)syscall(SYS_gettid);
    while (!stop) nap(1);
    return NULL;
}

static void on_a_thread(void) {
    install(SIGUSR2);
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, waiting_thread, NULL) == 0);
    while (target == 0) nap(1);
    struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGUSR2};
    event.sigev_notify_thread_id = target;
    timer_t timer;
    CHECK(timer_create(CLOCK_BOOTTIME, &event, &timer) == 0);
    const struct itimerspec soon = {{0, 0}, {0, 2000000}};
    CHECK(timer_settime(timer, 0, &soon, NULL) == 0);
    for (int i = 0; i < 2000 && fired == 0; ++i) nap(1);
    CHECK(fired == 1 && fired_on == target && timer_delete(timer) == 0);
    stop = 1;
    CHECK(pthread_join(thread, NULL) == 0);
}

static volatile int notified;
static void notify(union sigval given) { notified += given.sival_int; }

static void by_a_new_thread(void) {
    struct sigevent event = {.sigev_notify = SIGEV_THREAD, .sigev_value.sival_int = 7};
    event.sigev_notify_function = notify;
    timer_t timer;
    CHECK(timer_create(CLOCK_MONOTONIC, &event, &timer) == 0);
    const struct itimerspec soon = {{0, 0}, {0, 2000000}};
    CHECK(timer_settime(timer, 0, &soon, NULL) == 0);
    for (int i = 0; i < 2000 && notified == 0; ++i) nap(1);
    CHECK(notified == 7 && timer_delete(timer) == 0);
}

static double seconds_of(clockid_t clock_id) {
    struct timespec now = {};
    CHECK(clock_gettime(clock_id, &now) == 0);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void burn(double seconds) {
    const double end = seconds_of(CLOCK_THREAD_CPUTIME_ID) + seconds;
    while (seconds_of(CLOCK_THREAD_CPUTIME_ID) < end) {
        for (volatile int i = 0; i < 10000; ++i) {
        }
    }
}

static void* burning_thread(void* id) {
    CHECK(pthread_getcpuclockid(pthread_self(), id) == 0);
    burn(0.05);
    CHECK(seconds_of(CLOCK_THREAD_CPUTIME_ID) < 2);
    while (!stop) nap(1);
    return NULL;
}

// A thread's time is what it computed, and not what it waited or what others did.
static void processor_time(void) {
    stop = 0;
    const double own = seconds_of(CLOCK_THREAD_CPUTIME_ID), all = seconds_of(CLOCK_PROCESS_CPUTIME_ID);
    clockid_t its = 0, process = 0;
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, burning_thread, &its) == 0);
    while (*(volatile clockid_t*)&its == 0) nap(1);
    for (int i = 0; i < 5000 && seconds_of(its) < 0.05; ++i) nap(1);
    CHECK(seconds_of(its) >= 0.05 && seconds_of(its) < 1);
    CHECK(seconds_of(CLOCK_THREAD_CPUTIME_ID) - own < 1);
    CHECK(seconds_of(CLOCK_PROCESS_CPUTIME_ID) - all >= 0.05);
    CHECK(clock_getcpuclockid(0, &process) == 0 && seconds_of(process) >= all);
    struct timespec resolution;
    CHECK(clock_getres(its, &resolution) == 0 && resolution.tv_nsec > 0);
    stop = 1;
    CHECK(pthread_join(thread, NULL) == 0);
    const double before = seconds_of(CLOCK_PROCESS_CPUTIME_ID);
    nap(50);
    CHECK(seconds_of(CLOCK_PROCESS_CPUTIME_ID) - before < 0.045);
    struct rusage self, mine;
    CHECK(getrusage(RUSAGE_SELF, &self) == 0 && self.ru_utime.tv_sec * 1000000 + self.ru_utime.tv_usec +
                                                        self.ru_stime.tv_sec * 1000000 + self.ru_stime.tv_usec >=
                                                    45000);
    CHECK(getrusage(RUSAGE_THREAD, &mine) == 0 && self.ru_maxrss > 0);
    struct tms ticks;
    CHECK(times(&ticks) != (clock_t)-1 && ticks.tms_utime + ticks.tms_stime >= 4 && ticks.tms_cutime == 0);
    CHECK(clock() > 0);
}

static void by_processor_time(void) {
    install(SIGVTALRM);
    install(SIGPROF);
    install(SIGUSR1);
    const struct itimerval soon = {{0, 0}, {0, 20000}};
    struct itimerval now;
    CHECK(setitimer(ITIMER_VIRTUAL, &soon, NULL) == 0 && setitimer(ITIMER_PROF, &soon, NULL) == 0);
    CHECK(getitimer(ITIMER_PROF, &now) == 0 && now.it_value.tv_usec > 0);
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
    timer_t timer;
    CHECK(timer_create(CLOCK_THREAD_CPUTIME_ID, &event, &timer) == 0);
    const struct itimerspec later = {{0, 0}, {0, 20000000}};
    CHECK(timer_settime(timer, 0, &later, NULL) == 0);
    nap(60);
    CHECK(fired == 0);  // time that passes is not time that is used
    for (int i = 0; i < 200 && fired < 3; ++i) burn(0.01);
    CHECK(fired == 3 && timer_delete(timer) == 0);
    CHECK_ERRNO(setitimer(99, &soon, NULL), EINVAL);
}

int main(void) {
    one_shot();
    refused();
    overruns();
    on_a_thread();
    by_a_new_thread();
    processor_time();
    by_processor_time();
    return check_end();
}
