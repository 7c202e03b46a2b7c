// Alternate stacks of signal handlers: taken away while a handler runs (SS_AUTODISARM), and what a handler's return
// does to them.
#define _GNU_SOURCE
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include "check.h"

#ifndef SS_AUTODISARM
#define SS_AUTODISARM (1U << 31)
#endif

enum { kBytes = 64 * 1024 };
static char first[kBytes], second[kBytes];
static stack_t seen;
static volatile int depth, deepest;
static void (*then)(ucontext_t*);

static int is_on(const char* stack, const void* at) { return (uintptr_t)at - (uintptr_t)stack < kBytes; }

static void handler(int signo, siginfo_t* info, void* context) {
    char local;
    (void)info;
    CHECK(sigaltstack(NULL, &seen) == 0);
    ++depth;
    if (depth > deepest) deepest = depth;
    CHECK((signo == SIGURG) == !(is_on(first, &local) || is_on(second, &local)));
    if (then) then(context);
    --depth;
}

static stack_t now(void) {
    stack_t stack;
    CHECK(sigaltstack(NULL, &stack) == 0);
    return stack;
}

static void use(char* stack, unsigned flags) {
    const stack_t wanted = {.ss_sp = stack, .ss_size = kBytes, .ss_flags = (int)flags};
    CHECK(sigaltstack(&wanted, NULL) == 0);
}

static void taken_away_meanwhile(void) {
    use(first, SS_AUTODISARM);
    CHECK(now().ss_sp == first && (unsigned)now().ss_flags == SS_AUTODISARM);
    CHECK(raise(SIGUSR1) == 0);
    CHECK(seen.ss_flags == SS_DISABLE && seen.ss_size == 0);
    CHECK(now().ss_sp == first && now().ss_size == kBytes && (unsigned)now().ss_flags == SS_AUTODISARM);
}

static void give_another(ucontext_t* context) {
    (void)context;
    then = NULL;
    use(second, 0);  // which a thread whose own is taken away may do
    CHECK(raise(SIGUSR2) == 0);
    CHECK(seen.ss_sp == second && seen.ss_flags == SS_ONSTACK);
}

static void another_one_within(void) {
    use(first, SS_AUTODISARM);
    then = give_another;
    CHECK(raise(SIGUSR1) == 0 && deepest == 2);
    CHECK(now().ss_sp == first && (unsigned)now().ss_flags == SS_AUTODISARM);
}

static void refuse_within(ucontext_t* context) {
    (void)context;
    const stack_t wanted = {.ss_sp = second, .ss_size = kBytes};
    CHECK(seen.ss_flags == SS_ONSTACK);
    CHECK_ERRNO(sigaltstack(&wanted, NULL), EPERM);
}

static void not_while_it_is_used(void) {
    use(first, 0);
    then = refuse_within;
    CHECK(raise(SIGUSR1) == 0);
    then = NULL;
}

// What the frame says at its end counts, as if it had been asked for by sigaltstack(2). Here the handler does not run
// on the stack itself: there, kernels differ.
static stack_t returned;
static void return_with(ucontext_t* context) { context->uc_stack = returned; }

static void after_return(stack_t wanted, void* stack, size_t bytes, unsigned flags) {
    use(first, 0);
    returned = wanted;
    then = return_with;
    CHECK(raise(SIGURG) == 0);
    then = NULL;
    CHECK(now().ss_sp == stack && now().ss_size == bytes && (unsigned)now().ss_flags == flags);
}

static void returns(void) {
    after_return((stack_t){.ss_sp = second, .ss_size = kBytes}, second, kBytes, 0);
    after_return((stack_t){.ss_sp = second, .ss_size = kBytes, .ss_flags = (int)SS_AUTODISARM}, second, kBytes,
                 SS_AUTODISARM);
    after_return((stack_t){.ss_flags = SS_DISABLE}, NULL, 0, SS_DISABLE);
    after_return((stack_t){.ss_sp = second, .ss_size = 100}, first, kBytes, 0);                     // too small
    after_return((stack_t){.ss_sp = second, .ss_size = kBytes, .ss_flags = 64}, first, kBytes, 0);  // no such flag
}

static void bad_arguments(void) {
    stack_t wanted = {.ss_sp = first, .ss_size = kBytes, .ss_flags = 4};
    CHECK_ERRNO(sigaltstack(&wanted, NULL), EINVAL);
    wanted = (stack_t){.ss_sp = first, .ss_size = 16};
    CHECK_ERRNO(sigaltstack(&wanted, NULL), ENOMEM);
    CHECK_ERRNO(syscall(SYS_sigaltstack, (stack_t*)16, NULL), EFAULT);
}

int main(void) {
    struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    CHECK(sigaction(SIGUSR1, &action, NULL) == 0 && sigaction(SIGUSR2, &action, NULL) == 0);
    action.sa_flags = SA_SIGINFO;
    CHECK(sigaction(SIGURG, &action, NULL) == 0);
    CHECK(now().ss_flags == SS_DISABLE);
    taken_away_meanwhile();
    another_one_within();
    not_while_it_is_used();
    returns();
    bad_arguments();
    return check_end();
}
