// The table behind virtual_files.hpp, a piece a subject.
#pragma once

#include <span>
#include <string_view>

#include "hv/virtual_files.hpp"

namespace divisi::hv {

// Components of a pattern may be or end in a wildcard: <pid>, <tid>, <fd>, <cpu>, <cache>. Folders need no line of
// their own: whatever has something below it is one.
struct VirtualPattern {
    std::string_view pattern;
    VirtualNode::Kind kind;
    unsigned permissions;
    VirtualNode::Text text;
};

std::span<const VirtualPattern> process_patterns();    // /proc/<pid>, and the ways to it
std::span<const VirtualPattern> kernel_patterns();     // the rest of /proc
std::span<const VirtualPattern> processor_patterns();  // /proc/cpuinfo, /sys/devices/system
std::span<const VirtualPattern> device_patterns();     // /dev

}  // namespace divisi::hv
