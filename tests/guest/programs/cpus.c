// cpus COUNT: the program sees that many CPUs, everywhere it may look.
#define _GNU_SOURCE
#include <sched.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "check.h"

int main(int argc, char** argv) {
    const int count = argc > 1 ? atoi(argv[1]) : 0;
    cpu_set_t set;
    CPU_ZERO(&set);
    CHECK(sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) == count);
    CHECK(sysconf(_SC_NPROCESSORS_ONLN) >= count);
    const int here = sched_getcpu();
    CHECK(here >= 0 && CPU_ISSET(here, &set));
    unsigned cpu = 9999, node = 9999;
    CHECK(syscall(SYS_getcpu, &cpu, &node, NULL) == 0 && CPU_ISSET(cpu, &set) && node < 1024);
    CHECK_ERRNO(sched_getaffinity(0, 1, &set), EINVAL);
    CHECK(sched_setaffinity(0, sizeof set, &set) == 0);
    CHECK(sched_yield() == 0);
    FILE* info = fopen("/proc/cpuinfo", "r");
    CHECK(info != NULL);
    int processors = 0;
    char line[4096];
    while (info && fgets(line, sizeof line, info)) processors += strncmp(line, "processor", 9) == 0;
    CHECK(processors >= count);
    return check_end();
}
