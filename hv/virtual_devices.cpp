// /dev: the devices that are no danger to anyone.
#include "hv/virtual_table.hpp"

namespace divisi::hv {
namespace {

using Kind = VirtualNode::Kind;
using Numbers = VirtualNode::Numbers;

template <int kNumber>
std::string descriptor_link(const VirtualContext& /*context*/, const Numbers& /*numbers*/) {
    return "/proc/self/fd/" + std::to_string(kNumber);
}

std::string descriptors(const VirtualContext& /*context*/, const Numbers& /*numbers*/) {
    return "/proc/self/fd";
}

constexpr VirtualPattern kPatterns[] = {
    {"/dev/null", Kind::kHost, 0666, nullptr},
    {"/dev/zero", Kind::kHost, 0666, nullptr},
    {"/dev/full", Kind::kHost, 0666, nullptr},
    {"/dev/random", Kind::kHost, 0666, nullptr},
    {"/dev/urandom", Kind::kHost, 0666, nullptr},
    {"/dev/tty", Kind::kHost, 0666, nullptr},
    {"/dev/shm", Kind::kHost, 01777, nullptr},
    {"/dev/fd", Kind::kLink, 0777, descriptors},
    {"/dev/stdin", Kind::kLink, 0777, descriptor_link<0>},
    {"/dev/stdout", Kind::kLink, 0777, descriptor_link<1>},
    {"/dev/stderr", Kind::kLink, 0777, descriptor_link<2>},
};

}  // namespace

std::span<const VirtualPattern> device_patterns() {
    return kPatterns;
}

}  // namespace divisi::hv
