#include "hv/loader.hpp"

#include <elf.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "hv/program.hpp"

namespace divisi::hv {
namespace {

// Of the stack that is there from the start; it grows.
constexpr std::uint64_t kStackBytes = 128U << 10U;
constexpr std::uint64_t kMaxArgumentBytes = 2U << 20U;  // as Linux: a quarter of the usual stack

Result<void> map_segment(Program& program, const Image& image, const ImageSegment& segment) {
    const Gva begin = page_floor(segment.address);
    const Gva lead = segment.address - begin;
    AddressSpace::FileBacking file;
    file.fd = image.file;
    file.offset = segment.file_offset - lead;
    file.bytes = segment.file_bytes == 0 ? 0 : segment.file_bytes + lead;
    file.zeros_beyond = true;
    file.name = image.path;
    const SysResult at = program.memory().map(begin, segment.memory_bytes + lead, segment.prot, MAP_PRIVATE | MAP_FIXED,
                                              std::move(file));
    if (at < 0)
        return make_error(Errc::kInsufficient,
                          fmt::format("the image needs {} bytes at {:#x}, more than the node's memory holds",
                                      segment.memory_bytes, segment.address),
                          image.path, "give the nodes more memory in the policy");
    return {};
}

// Builds the initial stack from its top down.
class StackBuilder {
public:
    StackBuilder(AddressSpace& memory, Gva top) : memory_(memory), at_(top) {}

    Gva push(const void* data, std::size_t bytes) {
        at_ -= bytes;
        ok_ = ok_ && memory_.copy_out(at_, data, bytes);
        return at_;
    }
    Gva push_string(const std::string& text) { return push(text.c_str(), text.size() + 1); }
    void align(std::size_t bytes) { at_ -= at_ % bytes; }
    [[nodiscard]] Gva at() const { return at_; }
    [[nodiscard]] bool ok() const { return ok_; }

private:
    AddressSpace& memory_;
    Gva at_;
    bool ok_ = true;
};

std::vector<std::uint64_t> auxiliary_vector(const Program& program, Gva vdso, Gva random, Gva platform, Gva name) {
    const Image& image = program.spec().image;
    std::uint32_t eax = 1;
    std::uint32_t ebx = 0;
    std::uint32_t ecx = 0;
    std::uint32_t edx = 0;
    __asm__ volatile("cpuid" : "+a"(eax), "=b"(ebx), "+c"(ecx), "=d"(edx));
    std::vector<std::uint64_t> aux{AT_PHDR,     image.program_headers,
                                   AT_PHENT,    sizeof(Elf64_Phdr),
                                   AT_PHNUM,    image.program_header_count,
                                   AT_PAGESZ,   kPageBytes,
                                   AT_BASE,     0,
                                   AT_FLAGS,    0,
                                   AT_ENTRY,    image.entry,
                                   AT_UID,      ::getuid(),
                                   AT_EUID,     ::geteuid(),
                                   AT_GID,      ::getgid(),
                                   AT_EGID,     ::getegid(),
                                   AT_SECURE,   0,
                                   AT_RANDOM,   random,
                                   AT_HWCAP,    edx,
                                   AT_HWCAP2,   0,  // no FSGSBASE
                                   AT_CLKTCK,   100,
                                   AT_PLATFORM, platform,
                                   AT_EXECFN,   name};
    if (vdso != 0) aux.insert(aux.end(), {AT_SYSINFO_EHDR, vdso});
    if (program.spec().node_page) aux.insert(aux.end(), {kAuxDivisi, kWindowGva});
    aux.insert(aux.end(), {AT_NULL, 0});
    return aux;
}

Result<LoadedImage> build_stack(Program& program, Gva vdso) {
    const ProgramSpec& spec = program.spec();
    std::size_t bytes = 0;
    for (const auto* list : {&spec.argv, &spec.environment}) {
        for (const std::string& text : *list) bytes += text.size() + 1 + sizeof(std::uint64_t);
    }
    if (bytes > kMaxArgumentBytes)
        return make_error(Errc::kInsufficient, "arguments and environment are longer than 2 MiB", spec.image.path);
    const int prot = PROT_READ | PROT_WRITE | (spec.image.executable_stack ? PROT_EXEC : 0);
    if (program.memory().map(kStackTop - kStackBytes, kStackBytes, prot,
                             MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_GROWSDOWN, std::nullopt) < 0)
        return make_error(Errc::kInsufficient, "no memory for the stack", spec.image.path);
    StackBuilder stack(program.memory(), kStackTop);
    const Gva name = stack.push_string(spec.image.path);
    std::vector<std::uint64_t> words{spec.argv.size()};
    std::vector<std::uint64_t> environment;
    for (const std::string& text : spec.environment) environment.push_back(stack.push_string(text));
    for (const std::string& text : spec.argv) words.push_back(stack.push_string(text));
    words.push_back(0);
    words.insert(words.end(), environment.begin(), environment.end());
    words.push_back(0);
    const Gva platform = stack.push_string("x86_64");
    std::array<std::byte, 16> random{};
    if (::getrandom(random.data(), random.size(), 0) != static_cast<ssize_t>(random.size()))
        return system_error(errno, "cannot get random bytes");
    stack.align(16);
    const Gva random_at = stack.push(random.data(), random.size());
    auto aux = auxiliary_vector(program, vdso, random_at, platform, name);
    words.insert(words.end(), aux.begin(), aux.end());
    if (words.size() % 2 != 0) stack.push("\0\0\0\0\0\0\0", 8);  // argc must be 16-byte aligned
    const Gva pointer = stack.push(words.data(), words.size() * sizeof(std::uint64_t));
    if (!stack.ok())
        return make_error(Errc::kInsufficient, "no memory for arguments and environment", spec.image.path,
                          "give the nodes more memory in the policy");
    return LoadedImage{spec.image.entry, pointer, std::move(aux)};
}

// The only code among the windows; 0 where there is none.
Gva vdso_address(const Program& program) {
    Gva at = kWindowGva;
    for (const WindowPiece& piece : program.spec().tables->windows()) {
        if (piece.executable) return program.spec().node_page ? at : 0;
        at += piece.size_bytes;
    }
    return 0;
}

}  // namespace

Result<LoadedImage> load_image(Program& program) {
    const Image& image = program.spec().image;
    for (const ImageSegment& segment : image.segments) DIVISI_TRY(map_segment(program, image, segment));
    const ImageSegment& last = image.segments.back();
    program.memory().set_break_start(last.address + last.memory_bytes);
    if (program.spec().node_page) program.memory().map_windows();
    return build_stack(program, vdso_address(program));
}

}  // namespace divisi::hv
