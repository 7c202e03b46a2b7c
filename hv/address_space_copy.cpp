// The VMM's copies to, from and between the memories of programs.
#include <algorithm>
#include <cstring>
#include <functional>
#include <mutex>

#include "hv/address_space.hpp"

namespace divisi::hv {
namespace {

// How much is copied between two programs before others may change their maps.
constexpr std::size_t kCopiedBytesAHold = 256U << 10U;

std::size_t rest_of_page(Gva at) {
    return kPageBytes - at % kPageBytes;
}

}  // namespace

template <typename Step>
bool AddressSpace::walk(Gva at, std::size_t bytes, bool write, Step step) {
    if (bytes == 0) return true;
    if (at >= kUserBytes || bytes > kUserBytes - at) return false;
    while (bytes != 0) {
        const std::size_t part = std::min<std::size_t>(bytes, rest_of_page(at));
        bool done = false;
        {
            const std::shared_lock lock(mutex_);
            if (std::byte* page = reach(at, write); page != nullptr) {
                if (!step(page, part)) return true;
                done = true;
            }
        }
        if (!done) {
            if (fault(at, write ? Access::kWrite : Access::kRead) != FaultOutcome::kResolved) return false;
            continue;
        }
        at += part;
        bytes -= part;
    }
    return true;
}

// SAFETY (all): pointers into mapped pages are used with the map held still. Other nodes may write the
// same bytes meanwhile; they are plain data to us, and the copy is validated after it was made, never the original.
bool AddressSpace::copy_in(void* to, Gva from, std::size_t bytes) {
    auto* out = static_cast<std::byte*>(to);
    return walk(from, bytes, false, [&out](const std::byte* page, std::size_t part) {
        std::memcpy(out, page, part);
        out += part;
        return true;
    });
}

bool AddressSpace::copy_out(Gva to, const void* from, std::size_t bytes) {
    const auto* in = static_cast<const std::byte*>(from);
    return walk(to, bytes, true, [&in](std::byte* page, std::size_t part) {
        std::memcpy(page, in, part);
        in += part;
        return true;
    });
}

bool AddressSpace::zero_out(Gva to, std::size_t bytes) {
    return walk(to, bytes, true, [](std::byte* page, std::size_t part) {
        std::memset(page, 0, part);
        return true;
    });
}

std::optional<std::string> AddressSpace::copy_string_in(Gva from, std::size_t limit) {
    std::string text;
    bool ended = false;
    const bool reached = walk(from, std::min<std::uint64_t>(limit, kUserBytes - std::min(from, kUserBytes)), false,
                              [&](const std::byte* page, std::size_t part) {
                                  const auto* chars = reinterpret_cast<const char*>(page);
                                  const std::size_t length = ::strnlen(chars, part);
                                  text.append(chars, length);
                                  ended = length < part;
                                  return !ended;
                              });
    if (!reached || !ended) return std::nullopt;
    return text;
}

AddressSpace::Copied AddressSpace::copy_between(AddressSpace& from, Gva source, AddressSpace& to, Gva target,
                                                std::size_t bytes) {
    if (bytes == 0) return Copied::kAll;
    if (source >= kUserBytes || bytes > kUserBytes - source) return Copied::kSourceFault;
    if (target >= kUserBytes || bytes > kUserBytes - target) return Copied::kTargetFault;
    while (bytes != 0) {
        const std::byte* in = nullptr;
        std::byte* out = nullptr;
        {
            // Both maps are held for some pages at a time. Always in the same order: who waits to change one of them
            // holds back those who come to read it.
            const bool ordered = std::less<>()(&from, &to);
            const std::shared_lock first((ordered ? from : to).mutex_);
            const std::shared_lock second((ordered ? to : from).mutex_);
            for (std::size_t held = 0; bytes != 0 && held < kCopiedBytesAHold;) {
                in = from.reach(source, false);
                out = to.reach(target, true);
                if (in == nullptr || out == nullptr) break;
                const std::size_t most = std::min(bytes, kCopiedBytesAHold);
                // As far as what follows lies in one piece on either side.
                std::size_t part = std::min({most, rest_of_page(source), rest_of_page(target)});
                while (part < most) {
                    const Gva next_source = source + part;
                    const Gva next_target = target + part;
                    if (next_source % kPageBytes == 0 && from.reach(next_source, false) != in + part) break;
                    if (next_target % kPageBytes == 0 && to.reach(next_target, true) != out + part) break;
                    part += std::min({most - part, rest_of_page(next_source), rest_of_page(next_target)});
                }
                std::memcpy(out, in, part);
                source += part;
                target += part;
                bytes -= part;
                held += part;
            }
        }
        if (bytes == 0) break;
        if (in == nullptr && from.fault(source, Access::kRead) != FaultOutcome::kResolved) return Copied::kSourceFault;
        if (out == nullptr && to.fault(target, Access::kWrite) != FaultOutcome::kResolved) return Copied::kTargetFault;
    }
    return Copied::kAll;
}

}  // namespace divisi::hv
