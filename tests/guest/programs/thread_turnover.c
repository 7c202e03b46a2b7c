// Threads made and joined one after another leave nothing: no number of them, no memory of theirs.
//
//   thread_turnover COUNT
#define _GNU_SOURCE
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"

static void* twice(void* number) { return (void*)((intptr_t)number * 2); }

static void turn_over(long count) {
    for (long i = 0; i < count; ++i) {
        pthread_t thread;
        void* result = NULL;
        if (pthread_create(&thread, NULL, twice, (void*)i) != 0) {
            CHECK(!"pthread_create");
            return;
        }
        CHECK(pthread_join(thread, &result) == 0 && (intptr_t)result == i * 2);
    }
}

static long value_of(const char* name) {
    char line[256];
    long value = -1;
    FILE* file = fopen("/proc/self/status", "r");
    CHECK(file != NULL);
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        if (strncmp(line, name, strlen(name)) == 0) value = atol(line + strlen(name));
    }
    if (file != NULL) fclose(file);
    return value;
}

int main(int argc, char** argv) {
    CHECK(argc == 2);
    turn_over(50);
    const long before = value_of("VmSize:");
    turn_over(atol(argv[1]));
    CHECK(value_of("VmSize:") - before < 1024);
    // The last may still be on its way out.
    CHECK(value_of("Threads:") <= 2);
    return check_end();
}
