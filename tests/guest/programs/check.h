/* Checks for guest programs: a failed one says where, and the program's exit code becomes 1.
   Nothing that differs from run to run (addresses, times, process numbers) may be printed. */
#pragma once

#include <errno.h>
#include <stdio.h>
#include <string.h>

static int check_failures;

#define CHECK(condition)                                                                  \
    do {                                                                                  \
        if (!(condition)) {                                                               \
            int check_errno = errno;                                                      \
            printf("FAILED line %d: %s (errno %d)\n", __LINE__, #condition, check_errno); \
            __atomic_add_fetch(&check_failures, 1, __ATOMIC_RELAXED);                     \
        }                                                                                 \
    } while (0)

/* The call fails, and with this errno. */
#define CHECK_ERRNO(call, number)                                                                                     \
    do {                                                                                                              \
        errno = 0;                                                                                                    \
        long check_result = (long)(call);                                                                             \
        if (check_result != -1 || errno != (number)) {                                                                \
            printf("FAILED line %d: %s gave %ld, errno %d, not %s\n", __LINE__, #call, check_result, errno, #number); \
            __atomic_add_fetch(&check_failures, 1, __ATOMIC_RELAXED);                                                 \
        }                                                                                                             \
    } while (0)

static inline int check_end(void) {
    puts(check_failures == 0 ? "ok" : "not ok");
    return check_failures == 0 ? 0 : 1;
}
