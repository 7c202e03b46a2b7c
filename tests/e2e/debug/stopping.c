// Stops, or is stopped, as its first argument says.
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static volatile sig_atomic_t heard;

static void hear(int signo) {
    heard = signo;
}

static long long soft(int resource) {
    struct rlimit limit;
    getrlimit(resource, &limit);
    return (long long)limit.rlim_cur;
}

int main(int argc, char** argv) {
    const char* const what = argc > 1 ? argv[1] : "";
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (strcmp(what, "itself") == 0) {
        raise(SIGSTOP);
        puts("goes on");
    } else if (strcmp(what, "waits") == 0) {
        puts("begun");
        while (access("end", F_OK) != 0) usleep(10000);
        puts("ended");
    } else if (strcmp(what, "ignores") == 0) {
        signal(SIGTSTP, hear);
        puts("begun");
        while (heard == 0) usleep(10000);
        puts("heard it");
    } else if (strcmp(what, "limits") == 0) {
        printf("stack %lld files %lld size %lld\n", soft(RLIMIT_STACK), soft(RLIMIT_NOFILE), soft(RLIMIT_FSIZE));
    }
    return 0;
}
