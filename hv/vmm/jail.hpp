// What a divisi-vmm gives up, so that a guest that takes it over by a fault of ours gets little.
//
// Two steps, since some of it must come before threads exist, and some after nodes have been set up. Neither can be
// taken back. `divisi show` and /proc/PID/status tell what is in force.
//
// Source: seccomp(2), capabilities(7), no_new_privs in the kernel's Documentation/userspace-api.
#pragma once

#include "base/result.hpp"

namespace divisi::hv::vmm {

// Keeps of the capabilities only those that decide over files, so that programs in nodes find the same files as they do
// natively; and no set-user-id program can bring others back. Call it before any other thread exists.
// Errors: errno; nothing has been given up then.
Result<void> drop_privileges();

// From here on no thread of this process can start a program or another process, look into one or signal one, open a
// socket to anywhere but a Unix one, or change the machine (mounts, modules, clocks, keys, …): such calls yield EPERM.
//
// For processes that make no children: they would inherit it, and with it be told EPERM where divisi-vmm serves the
// call for them. So the direct backend, whose stubs are confined by themselves, does without.
// Errors: kUnsupported where the kernel has no seccomp filters; errno.
Result<void> forbid_system_calls();

}  // namespace divisi::hv::vmm
