// Whether a set of programs will never do anything any more: a deadlock, as seen from outside.
//
// Threads: from any thread, while the programs live.
#pragma once

#include <vector>

#include "hv/futex.hpp"
#include "hv/program.hpp"

namespace divisi::hv {

// True only if no thread of the programs can ever run again, unless somebody outside of them sends a signal, and at
// least one of them waits on a word of a window (so, for another program). `programs` are all that share windows with
// each other; none of them is shared with a process outside of the VMM.
//
// Why there are no false alarms. Let W1 and W2 be two looks at the table of futex waits, each made at one moment. All
// threads of all programs are found in W1 and in W2 in the same wait: the ticket is the same, and no wait's ticket
// comes again. So between the two looks each of them was in that wait, and
//   - ran no instruction, and so made no thread, woke nobody, sent no signal and set no timer. That the list of threads
//     was complete is seen in between: only a thread that runs makes another.
//   - has no end set by time, or it would not be among the sleepers, and is in no call that the host serves for it:
//     those are waits of another kind.
//   - was put aside by its node (parked), which was seen in between: so nothing of its last system call is still under
//     way, a look for signals that came before the wait included.
// No timer of the programs was armed at a moment in between; an expiry under way would have been waited for there, and
// its signal have ended a wait. So nothing inside the programs or on behalf of them is under way that could end one of
// these waits, and they can only be ended from inside: the state lasts.
//
// From outside comes a signal, at most. It can mend the state only where its handler may wake a thread, and that may
// not call what waits on windows; a thread that waits on a word of the program's own, in a program that has such
// handlers, is therefore taken for one that somebody means to wake.
bool still_for_good(const std::vector<const Program*>& programs, FutexTable& futexes);

}  // namespace divisi::hv
