/* Attacks: what a hostile program may try from inside a node. Each is a function that tries one thing in many ways, and
   returns if it has survived: 0, or what it should not have been able to do, as a sentence on standard output and 1. */
#pragma once

#include <signal.h>

typedef int attack_function(char** arguments);

struct attack {
    const char* name;
    attack_function* run;
};

extern const struct attack kCallAttacks[], kProcessorAttacks[], kStubAttacks[], kWorldAttacks[], kResourceAttacks[];

/* Calls `step`, and catches the signal that it may raise: its number, or 0. */
int attempt(void (*step)(void*), void* argument);
/* A system call as the processor makes it, without errno. */
long raw_call(long number, long a, long b, long c, long d, long e, long f);
/* Something that must not have worked. */
int broken(const char* what);
/* Ends the program, which may be in an endless loop by then, unless it has made itself deaf. */
void end_after(int milliseconds);
/* The number of argument `index`, or `otherwise`. */
long number_of(char** arguments, int index, long otherwise);
