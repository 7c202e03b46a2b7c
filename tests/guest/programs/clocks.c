// Clocks run forward, sleeps sleep at least as long as asked.
#define _GNU_SOURCE
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/times.h>
#include <time.h>
#include <unistd.h>

#include "check.h"

static double seconds(struct timespec time) { return (double)time.tv_sec + (double)time.tv_nsec / 1e9; }

static double now(clockid_t clock) {
    struct timespec time = {-1, -1};
    CHECK(clock_gettime(clock, &time) == 0);
    CHECK(time.tv_nsec >= 0 && time.tv_nsec < 1000000000);
    return seconds(time);
}

int main(void) {
    double last = now(CLOCK_MONOTONIC);
    for (int i = 0; i < 20000; ++i) {
        const double next = now(CLOCK_MONOTONIC);
        if (next < last) {
            CHECK(!"the monotonic clock ran backward");
            break;
        }
        last = next;
    }
    const time_t plain = time(NULL);
    const double real = now(CLOCK_REALTIME);
    CHECK(plain > 1600000000 && real > (double)plain - 2 && real < (double)plain + 30);
    struct timeval day;
    CHECK(gettimeofday(&day, NULL) == 0 && day.tv_usec >= 0 && day.tv_usec < 1000000);
    CHECK((double)day.tv_sec > real - 2 && (double)day.tv_sec < real + 30);
    CHECK(now(CLOCK_MONOTONIC_RAW) > 0);
    CHECK(now(CLOCK_BOOTTIME) > 0);
    CHECK(now(CLOCK_MONOTONIC_COARSE) > 0);
    CHECK(now(CLOCK_REALTIME_COARSE) > 1600000000);
    struct timespec step;
    CHECK(clock_getres(CLOCK_MONOTONIC, &step) == 0 && step.tv_sec == 0 && step.tv_nsec > 0);
    CHECK_ERRNO(clock_gettime(77, &step), EINVAL);

    double before = now(CLOCK_MONOTONIC);
    struct timespec pause = {0, 20000000};
    CHECK(nanosleep(&pause, NULL) == 0);
    CHECK(now(CLOCK_MONOTONIC) - before >= 0.02);
    before = now(CLOCK_MONOTONIC);
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += 30000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_nsec -= 1000000000;
        ++until.tv_sec;
    }
    CHECK(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == 0);
    CHECK(now(CLOCK_MONOTONIC) >= seconds(until));
    struct timespec past = {0, 1};
    CHECK(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &past, NULL) == 0);
    CHECK(usleep(1000) == 0);
    struct timespec wrong = {0, 1000000000};
    CHECK_ERRNO(nanosleep(&wrong, NULL), EINVAL);

    const double spent = now(CLOCK_PROCESS_CPUTIME_ID);
    const double spent_thread = now(CLOCK_THREAD_CPUTIME_ID);
    volatile unsigned long sum = 0;
    for (unsigned long i = 0; i < 60000000; ++i) sum += i;
    CHECK(now(CLOCK_PROCESS_CPUTIME_ID) - spent > 0.005);
    CHECK(now(CLOCK_THREAD_CPUTIME_ID) - spent_thread > 0.005);
    CHECK(clock() > 0);
    struct rusage usage;
    CHECK(getrusage(RUSAGE_SELF, &usage) == 0 && usage.ru_utime.tv_sec >= 0);
    struct tms ticks;
    CHECK(times(&ticks) != (clock_t)-1);

    struct tm broken;
    const time_t known = 1000000000;
    gmtime_r(&known, &broken);
    char text[64];
    strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &broken);
    puts(text);
    localtime_r(&known, &broken);
    CHECK(broken.tm_hour == 1);
    return check_end();
}
