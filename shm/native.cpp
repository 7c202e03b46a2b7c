#include "shm/native.hpp"

#include <sched.h>

#include <cerrno>

#include "shm/abi/node_page.h"

namespace divisi::shm {
namespace {

// Above what the launched program expects to find open.
constexpr int kWindowFd = 30;

Result<void> check_pieces(const std::vector<WindowPiece>& pieces) {
    for (const WindowPiece& piece : pieces)
        if (piece.fd != pieces.front().fd) return make_error(Errc::kUsage, "a window of several memory files");
    return {};
}

// Restricts this thread to `pu` as long as it lives: a child inherits the mask.
class PinScope {
public:
    explicit PinScope(bool pin) : pin_(pin && ::sched_getaffinity(0, sizeof before_, &before_) == 0) {}
    PinScope(const PinScope&) = delete;
    PinScope& operator=(const PinScope&) = delete;
    ~PinScope() {
        if (pin_) ::sched_setaffinity(0, sizeof before_, &before_);
    }

    // To the PUs of `count` nodes.
    [[nodiscard]] Result<void> pin_to(const Fabric& fabric, NodeId first, std::uint32_t count) const {
        if (!pin_) return {};
        cpu_set_t mask;
        CPU_ZERO(&mask);
        for (std::uint32_t node = first.value; node < first.value + count; ++node)
            CPU_SET(fabric.pu(NodeId{node}), &mask);
        if (::sched_setaffinity(0, sizeof mask, &mask) != 0)
            return system_error(errno, "cannot pin a rank", "PU " + std::to_string(fabric.pu(first)));
        return {};
    }

private:
    cpu_set_t before_{};
    bool pin_;
};

}  // namespace

std::string native_variable(const std::vector<WindowPiece>& pieces, int fd) {
    std::string text;
    for (const WindowPiece& piece : pieces) {
        if (!text.empty()) text += ',';
        text += std::to_string(fd) + ':' + std::to_string(piece.offset) + '+' + std::to_string(piece.size_bytes);
        text += piece.writable ? 'w' : 'r';
    }
    return text;
}

Result<std::vector<Process>> launch_native(Fabric& fabric, const JobSpec& job, const NativeSpec& spec) {
    DIVISI_TRY(fabric.begin_job(job));
    std::vector<Process> ranks;
    const PinScope pin(spec.pin);
    for (std::size_t rank = 0; rank < job.rank_nodes.size(); ++rank) {
        const NodeId node = job.rank_nodes[rank];
        const auto pieces = fabric.window(node, job.mode);
        DIVISI_TRY(check_pieces(pieces));
        ProcessSpec process;
        process.argv = spec.argv;
        process.path = spec.path;
        process.dies_with_parent = true;
        process.environment = spec.environment;
        process.environment->push_back(DIVISI_NATIVE_VARIABLE "=" + native_variable(pieces, kWindowFd));
        process.fds = spec.rank_fds.empty() ? spec.fds : spec.rank_fds[rank];
        process.fds.emplace_back(fabric.fd(), kWindowFd);
        DIVISI_TRY(pin.pin_to(fabric, node, job.own_nodes.empty() ? 1 : job.own_nodes[rank]));
        DIVISI_TRY_ASSIGN(Process started, Process::spawn(process));
        ranks.push_back(std::move(started));
    }
    return ranks;
}

}  // namespace divisi::shm
