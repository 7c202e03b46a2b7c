// Shuts a child of divisi-unwind in before it looks at a program's image.
#pragma once

namespace divisi::hv {

// From here on this process can compute, take memory, and use the descriptors that it has: no files, no network, no
// other processes. Its memory and processor time are limited. False where the kernel does not allow it.
bool shut_in();

}  // namespace divisi::hv
