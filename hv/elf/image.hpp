// A program image: what an ELF file says about how to load it. The file is untrusted.
//
// Errors: kBadImage, each with what is wrong and what to do (link statically, for this processor).
// Source: System V ABI, gABI 4.1 chapters 4 and 5; elf(5).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.hpp"
#include "base/result.hpp"
#include "hv/layout.hpp"

namespace divisi::hv {

// The ELF note that divisi's MPI leaves in a program: as in shm/abi/node_page.h, which this folder does not know.
inline constexpr std::string_view kNoteOwner = "divisi";
inline constexpr std::uint32_t kNoteTypeMpi = 2;

struct ImageSegment {
    Gva address = 0;
    std::uint64_t file_offset = 0;
    std::uint64_t file_bytes = 0;
    std::uint64_t memory_bytes = 0;
    int prot = 0;
};

struct Image {
    std::shared_ptr<const Fd> file;
    std::string path;
    std::vector<ImageSegment> segments;  // ascending, disjoint, within the program's address space
    Gva entry = 0;
    Gva program_headers = 0;  // where they are in memory; 0 where they are not loaded
    std::uint16_t program_header_count = 0;
    Gva load_base = 0;  // what was added to every address of a position-independent image
    bool executable_stack = false;
    bool message_passing = false;  // an ELF note says it was linked with divisi's MPI
};

// `path` is for messages. Takes the file.
Result<Image> read_image(Fd file, const std::string& path);

// "main+0x12", or "" where the image has no symbol for the address.
std::string symbolize(const Image& image, Gva address);

}  // namespace divisi::hv
