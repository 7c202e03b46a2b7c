// The filter under which a guest's code runs: no system call acts; each is told to divisi-vmm, which answers it.
//
// Two exceptions, each by its place in the stub and its arguments: rt_sigreturn, which changes nothing but the caller's
// own registers, and the one message by which the task hands its listener over, whose socket is closed before guest
// code runs.
//
// Shape: classic BPF over seccomp_data. Calls by `int 0x80` and by x32 numbers are told like all others.
// Source: seccomp(2), seccomp_unotify(2).
#pragma once

#include <linux/filter.h>

#include <vector>

#include "hv/layout.hpp"

namespace divisi::hv {

// `message` is where the message (struct msghdr) lies that the task may send.
std::vector<sock_filter> guest_filter(Gva message);

}  // namespace divisi::hv
