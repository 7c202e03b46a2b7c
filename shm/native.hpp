// Ranks as plain host processes over the channels of a fabric: the same binaries, without any isolation.
//
// A process is told its window by the environment variable DIVISI_NATIVE (shm/abi/node_page.h).
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "base/process.hpp"
#include "base/result.hpp"
#include "shm/fabric.hpp"

namespace divisi::shm {

struct NativeSpec {
    std::vector<std::string> argv;
    std::string path;                                              // of the program; empty: argv[0]
    std::vector<std::string> environment;                          // "NAME=value", DIVISI_NATIVE is added
    std::vector<std::pair<int, int>> fds{{0, 0}, {1, 1}, {2, 2}};  // as in ProcessSpec; the window's comes on top
    std::vector<std::vector<std::pair<int, int>>> rank_fds;        // by rank, in place of `fds`, where it is not empty
    bool pin = true;                                               // to the PUs of its nodes
};

// The value of DIVISI_NATIVE for `pieces`, whose descriptors are `fd` in the process.
std::string native_variable(const std::vector<WindowPiece>& pieces, int fd);

// Starts one process a rank of `job`, which dies with the calling thread, and whose node pages are written first. When
// one cannot be started, those that were are ended. Errors: those of Fabric::begin_job and Process::spawn.
Result<std::vector<Process>> launch_native(Fabric& fabric, const JobSpec& job, const NativeSpec& spec);

}  // namespace divisi::shm
