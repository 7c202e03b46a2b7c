// A ring in memory of its own, with both of its ends in this process.
#pragma once

#include <sys/mman.h>

#include <cstdint>
#include <cstring>
#include <random>
#include <vector>

#include "base/fd.hpp"
#include "base/mapping.hpp"
#include "shm/abi/ring_ops.h"

namespace divisi::shm::test {

using Bytes = std::vector<unsigned char>;

// `hostile`: a second view of the same memory, as another process would have it.
struct RingPair {
    explicit RingPair(std::uint32_t ring_bytes = DIVISI_RING_MIN_BYTES)
        : memory(*create_memfd("ring-test", ring_bytes)),
          map(*Mapping::file(memory.get(), 0, ring_bytes, PROT_READ | PROT_WRITE)),
          hostile(*Mapping::file(memory.get(), 0, ring_bytes, PROT_READ | PROT_WRITE)) {
        divisi_tx_init(&tx, map.data(), ring_bytes);
        divisi_rx_init(&rx, map.data(), ring_bytes);
    }

    Fd memory;
    Mapping map;
    Mapping hostile;
    divisi_tx tx{};
    divisi_rx rx{};
};

// Bytes that tell their place: a piece that lands elsewhere shows.
inline Bytes pattern(std::size_t length, std::uint32_t seed) {
    Bytes bytes(length);
    for (std::size_t i = 0; i < length; ++i)
        bytes[i] = static_cast<unsigned char>((seed * 2654435761U + i * 40503U) >> 8U);
    return bytes;
}

// Everything there is of one message, without waiting: OK when it is whole, WAIT when nothing more can be taken.
inline int take_all(divisi_rx& rx, Bytes& into) {
    for (;;) {
        const int seen = divisi_rx_peek(&rx);
        if (seen != DIVISI_RING_OK) return seen;
        into.resize(rx.length);
        (void)divisi_rx_take(&rx, into.data());
        if (rx.left == 0) return DIVISI_RING_OK;
    }
}

inline int put_all(divisi_tx& tx, std::uint64_t tag, const Bytes& message) {
    if (message.size() <= DIVISI_SLOT_PAYLOAD_BYTES)
        return divisi_tx_small(&tx, tag, message.data(), static_cast<std::uint32_t>(message.size()));
    for (;;) {
        const int sent = divisi_tx_large(&tx, tag, message.data(), message.size());
        if (sent != DIVISI_RING_OK || tx.left == 0) return sent;
    }
}

}  // namespace divisi::shm::test
