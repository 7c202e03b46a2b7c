// What a rank says that it waits for (divisi_wait in shm/abi/node_page.h), made fit to be shown.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

struct divisi_wait;

namespace divisi::shm {

struct Wait {
    enum class Kind : std::uint8_t { kNothing, kMessage, kReceiver, kAll };
    Kind kind = Kind::kNothing;
    std::optional<std::uint32_t> peer;      // as the call counts ranks; none: any
    std::optional<std::uint32_t> job_peer;  // as the job counts them
    std::optional<std::uint32_t> tag;
    bool any_tag = false;
    std::uint32_t others = 0;
    std::string call;          // "" where it is not a function's name
    std::string communicator;  // "" for none
};

// `record` is the rank's own word: what cannot be meant is left out, and what is shown is printable. Of a job of
// `ranks` ranks.
Wait read_wait(const divisi_wait& record, std::uint32_t ranks);

// "waits in MPI_Recv for rank 2, tag 7, MPI_COMM_WORLD".
std::string to_string(const Wait& wait);

}  // namespace divisi::shm
