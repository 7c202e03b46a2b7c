// A program's memory, as divisi-unwind sees it: by asking divisi-vmm.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "hv/unwind/wire.hpp"

namespace divisi::hv {

class Target {
public:
    explicit Target(int socket) : socket_(socket) {}
    // Waits for the next request; nothing when there will be none. What was read for the last one is forgotten.
    std::optional<UnwindRequest> next();
    std::optional<std::uint64_t> word(std::uint64_t address);

private:
    const std::vector<std::byte>& page_at(std::uint64_t page);
    std::optional<std::byte> byte(std::uint64_t address);

    int socket_;
    std::map<std::uint64_t, std::vector<std::byte>> pages_;  // by the page's address: its bytes, none if unreadable
};

}  // namespace divisi::hv
