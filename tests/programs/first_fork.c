/* For programs that fork once and do all their work in the child (stress-ng): the first fork() goes on as the child,
 * and there is no parent any more. A node has no processes: what forks again is told so, and tests/programs/run_stress,
 * too. Linked with -Wl,--wrap=fork.
 */
#include <errno.h>
#include <stdatomic.h>
#include <sys/types.h>
#include <unistd.h>

pid_t __wrap_fork(void);

pid_t __wrap_fork(void) {
    static atomic_flag forked = ATOMIC_FLAG_INIT;
    if (!atomic_flag_test_and_set(&forked)) return 0;
    static const char kNote[] = "first_fork: refused\n";
    static atomic_flag told = ATOMIC_FLAG_INIT;
    if (!atomic_flag_test_and_set(&told) && write(STDERR_FILENO, kNote, sizeof kNote - 1) < 0) errno = 0;
    errno = ENOSYS;
    return -1;
}
