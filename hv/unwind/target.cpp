#include "hv/unwind/target.hpp"

#include <sys/socket.h>

#include <cstring>

namespace divisi::hv {

std::optional<UnwindRequest> Target::next() {
    pages_.clear();
    UnwindRequest request;
    if (::recv(socket_, &request, sizeof request, 0) != sizeof request) return std::nullopt;
    return request;
}

const std::vector<std::byte>& Target::page_at(std::uint64_t page) {
    const auto [found, is_new] = pages_.try_emplace(page);
    if (!is_new) return found->second;
    UnwindRead ask;
    ask.address = page;
    std::array<std::byte, 1 + kUnwindReadBytes> answer{};
    if (::send(socket_, &ask, sizeof ask, MSG_NOSIGNAL) != sizeof ask) return found->second;
    const ssize_t bytes = ::recv(socket_, answer.data(), answer.size(), 0);
    if (bytes == static_cast<ssize_t>(answer.size()) && answer[0] == std::byte{1})
        found->second.assign(answer.begin() + 1, answer.end());
    return found->second;
}

std::optional<std::byte> Target::byte(std::uint64_t address) {
    const std::uint64_t within = address % kUnwindReadBytes;
    const auto& page = page_at(address - within);
    if (page.empty()) return std::nullopt;
    return page[within];
}

std::optional<std::uint64_t> Target::word(std::uint64_t address) {
    std::array<std::byte, sizeof(std::uint64_t)> bytes{};
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        const auto one = byte(address + i);
        if (!one) return std::nullopt;
        bytes[i] = *one;
    }
    std::uint64_t value = 0;
    std::memcpy(&value, bytes.data(), sizeof value);
    return value;
}

}  // namespace divisi::hv
