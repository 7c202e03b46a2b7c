#include "shm/stats.hpp"

#include <sys/mman.h>
#include <sys/stat.h>

#include <cerrno>

namespace divisi::shm {

Result<StatsBoard> StatsBoard::create(std::uint32_t node_count) {
    StatsBoard board;
    const std::size_t size = node_count * sizeof(NodeStats);
    DIVISI_TRY_ASSIGN(board.memory_, create_memfd("divisi-stats", size));
    DIVISI_TRY_ASSIGN(board.map_, Mapping::file(board.memory_.get(), 0, size, PROT_READ | PROT_WRITE));
    board.node_count_ = node_count;
    return board;
}

Result<StatsBoard> StatsBoard::attach(int fd, std::uint32_t node_count) {
    StatsBoard board;
    const std::size_t size = node_count * sizeof(NodeStats);
    struct stat status {};
    if (::fstat(fd, &status) != 0) return system_error(errno, "cannot look at the stats board");
    if (status.st_size < 0 || static_cast<std::size_t>(status.st_size) < size)
        return make_error(Errc::kProtocol, "the stats board is smaller than its topology");
    DIVISI_TRY_ASSIGN(board.map_, Mapping::file(fd, 0, size, PROT_READ));
    board.node_count_ = node_count;
    return board;
}

// SAFETY: the board was made for `node_count_` entries, mappings are page-aligned, and NodeStats is made of lock-free
// atomics whose zero is a valid value.
NodeStats& StatsBoard::node(NodeId id) noexcept {
    return reinterpret_cast<NodeStats*>(map_.data())[id.value];
}

const NodeStats& StatsBoard::node(NodeId id) const noexcept {
    return reinterpret_cast<const NodeStats*>(map_.data())[id.value];
}

}  // namespace divisi::shm
