#include "hv/elf/image.hpp"

#include <elf.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "base/printable.hpp"

namespace divisi::hv {
namespace {

constexpr std::size_t kMaxProgramHeaders = 512;
constexpr std::uint64_t kMaxSymbolBytes = 64U << 20U;
constexpr std::uint64_t kMaxNoteBytes = 64U << 10U;

Error bad(const std::string& path, std::string what, std::string hint = "") {
    return make_error(Errc::kBadImage, std::move(what), path, std::move(hint));
}

// Reads exactly `bytes` at `offset`, or says no.
bool read_at(int fd, void* to, std::size_t bytes, std::uint64_t offset) {
    std::size_t done = 0;
    while (done < bytes) {
        const ssize_t count =
            ::pread(fd, static_cast<char*>(to) + done, bytes - done, static_cast<off_t>(offset + done));
        if (count <= 0) return false;
        done += static_cast<std::size_t>(count);
    }
    return true;
}

Result<Elf64_Ehdr> read_header(int fd, const std::string& path) {
    Elf64_Ehdr header{};
    if (!read_at(fd, &header, sizeof header, 0)) {
        char start[2] = {};
        if (read_at(fd, start, 2, 0) && std::memcmp(start, "#!", 2) == 0)
            return bad(path, "a script, not a program", "nodes run ELF programs: run the interpreter's own binary");
        return bad(path, "too short for an ELF file");
    }
    if (std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0) {
        if (std::memcmp(header.e_ident, "#!", 2) == 0)
            return bad(path, "a script, not a program", "nodes run ELF programs, built with divisi-cc");
        return bad(path, "not an ELF file", "build the program with divisi-cc, divisi-c++ or divisi-fc");
    }
    if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_ident[EI_DATA] != ELFDATA2LSB ||
        header.e_machine != EM_X86_64)
        return bad(path,
                   fmt::format("built for another processor (ELF machine {}, class {})", header.e_machine,
                               static_cast<int>(header.e_ident[EI_CLASS])),
                   "nodes run x86-64 programs");
    if (header.e_type != ET_EXEC && header.e_type != ET_DYN)
        return bad(path, "an object file or core, not a program", "link it with divisi-cc");
    if (header.e_phentsize != sizeof(Elf64_Phdr) || header.e_phnum == 0 || header.e_phnum > kMaxProgramHeaders)
        return bad(path, "corrupt ELF file: bad program header table");
    return header;
}

Result<ImageSegment> read_segment(const Elf64_Phdr& header, Gva base, const std::string& path) {
    if (header.p_filesz > header.p_memsz)
        return bad(path, "corrupt ELF file: a segment larger in the file than in memory");
    if (header.p_memsz > kUserBytes || header.p_vaddr > kUserBytes)
        return bad(path, "corrupt ELF file: a segment too large");
    if (header.p_vaddr % kPageBytes != header.p_offset % kPageBytes)
        return bad(path, "corrupt ELF file: a misaligned segment");
    ImageSegment segment;
    segment.address = base + header.p_vaddr;
    segment.file_offset = header.p_offset;
    segment.file_bytes = header.p_filesz;
    segment.memory_bytes = header.p_memsz;
    segment.prot = ((header.p_flags & PF_R) != 0 ? PROT_READ : 0) | ((header.p_flags & PF_W) != 0 ? PROT_WRITE : 0) |
                   ((header.p_flags & PF_X) != 0 ? PROT_EXEC : 0);
    if (segment.address < kLowestGva || segment.address + segment.memory_bytes > kMmapTop)
        return bad(path, fmt::format("a segment at {:#x}, outside of a node's address space", segment.address),
                   "link it at the usual address, or as a static-PIE");
    return segment;
}

Result<void> check_segments(const Image& image, std::uint64_t file_size) {
    if (image.segments.empty()) return bad(image.path, "corrupt ELF file: nothing to load");
    Gva end = 0;
    for (const ImageSegment& segment : image.segments) {
        if (page_floor(segment.address) < end) return bad(image.path, "corrupt ELF file: overlapping segments");
        if (segment.file_offset > file_size || segment.file_bytes > file_size - segment.file_offset)
            return bad(image.path, "truncated ELF file: a segment ends behind the end of the file");
        end = page_ceil(segment.address + segment.memory_bytes);
    }
    const bool entry_mapped = std::any_of(image.segments.begin(), image.segments.end(), [&](const auto& segment) {
        return image.entry >= segment.address && image.entry < segment.address + segment.memory_bytes &&
               (segment.prot & PROT_EXEC) != 0;
    });
    if (!entry_mapped) return bad(image.path, "corrupt ELF file: its entry point is not in executable memory");
    return {};
}

// Whether a segment of notes has the one that divisi's MPI leaves. A segment that is not sane has none: what it would
// say is only how many ranks are wanted by default.
bool has_mpi_note(int fd, const Elf64_Phdr& header) {
    if (header.p_filesz > kMaxNoteBytes) return false;
    std::string bytes(header.p_filesz, '\0');
    if (!read_at(fd, bytes.data(), bytes.size(), header.p_offset)) return false;
    const auto padded = [](std::uint64_t size) { return (size + 3) / 4 * 4; };
    Elf64_Nhdr note{};
    for (std::uint64_t at = 0; at + sizeof note <= bytes.size();) {
        std::memcpy(&note, bytes.data() + at, sizeof note);
        at += sizeof note;
        // SAFETY: the two sizes are 32 bits wide, so that their sum cannot wrap.
        const std::uint64_t content = padded(note.n_namesz) + padded(note.n_descsz);
        if (content > bytes.size() - at) return false;
        const std::string_view owner(bytes.data() + at, note.n_namesz);
        if (note.n_type == kNoteTypeMpi && owner.substr(0, owner.find('\0')) == kNoteOwner) return true;
        at += content;
    }
    return false;
}

// A section's bytes, if it is sane.
std::string read_section(int fd, const Elf64_Shdr& section) {
    if (section.sh_size == 0 || section.sh_size > kMaxSymbolBytes) return {};
    std::string bytes(section.sh_size, '\0');
    return read_at(fd, bytes.data(), bytes.size(), section.sh_offset) ? bytes : std::string();
}

}  // namespace

Result<Image> read_image(Fd file, const std::string& path) {
    struct stat status {};
    if (::fstat(file.get(), &status) != 0 || !S_ISREG(status.st_mode)) return bad(path, "not a regular file");
    DIVISI_TRY_ASSIGN(const Elf64_Ehdr header, read_header(file.get(), path));
    std::vector<Elf64_Phdr> headers(header.e_phnum);
    if (header.e_phoff > static_cast<std::uint64_t>(status.st_size) ||
        !read_at(file.get(), headers.data(), headers.size() * sizeof headers[0], header.e_phoff))
        return bad(path, "truncated ELF file: no program headers");
    Image image;
    image.path = path;
    image.load_base = header.e_type == ET_DYN ? kPieBase : 0;
    image.entry = image.load_base + header.e_entry;
    image.program_header_count = header.e_phnum;
    for (const Elf64_Phdr& item : headers) {
        if (item.p_type == PT_INTERP)
            return bad(path, "dynamically linked: a node has no dynamic loader",
                       "link it with -static or -static-pie, or with divisi-cc");
        if (item.p_type == PT_GNU_STACK) image.executable_stack = (item.p_flags & PF_X) != 0;
        if (item.p_type == PT_NOTE && has_mpi_note(file.get(), item)) image.message_passing = true;
        if (item.p_type != PT_LOAD || item.p_memsz == 0) continue;
        DIVISI_TRY_ASSIGN(const ImageSegment segment, read_segment(item, image.load_base, path));
        if (header.e_phoff >= item.p_offset &&
            header.e_phoff + headers.size() * sizeof headers[0] <= item.p_offset + item.p_filesz)
            image.program_headers = segment.address + (header.e_phoff - item.p_offset);
        image.segments.push_back(segment);
    }
    std::sort(image.segments.begin(), image.segments.end(),
              [](const auto& a, const auto& b) { return a.address < b.address; });
    DIVISI_TRY(check_segments(image, static_cast<std::uint64_t>(status.st_size)));
    image.file = std::make_shared<const Fd>(std::move(file));
    return image;
}

std::string symbolize(const Image& image, Gva address) {
    const int fd = image.file->get();
    Elf64_Ehdr header{};
    if (!read_at(fd, &header, sizeof header, 0) || header.e_shentsize != sizeof(Elf64_Shdr)) return {};
    std::vector<Elf64_Shdr> sections(header.e_shnum);
    if (!read_at(fd, sections.data(), sections.size() * sizeof(Elf64_Shdr), header.e_shoff)) return {};
    const auto table = std::find_if(sections.begin(), sections.end(),
                                    [](const auto& section) { return section.sh_type == SHT_SYMTAB; });
    if (table == sections.end() || table->sh_link >= sections.size()) return {};
    const std::string symbols = read_section(fd, *table);
    const std::string names = read_section(fd, sections[table->sh_link]);
    const Gva wanted = address - image.load_base;
    Elf64_Sym best{};
    bool found = false;
    for (std::size_t at = 0; at + sizeof(Elf64_Sym) <= symbols.size(); at += sizeof(Elf64_Sym)) {
        Elf64_Sym symbol{};
        std::memcpy(&symbol, symbols.data() + at, sizeof symbol);
        const unsigned type = ELF64_ST_TYPE(symbol.st_info);
        if ((type != STT_FUNC && type != STT_GNU_IFUNC && type != STT_NOTYPE) || symbol.st_shndx == SHN_UNDEF) continue;
        if (symbol.st_value > wanted || (symbol.st_size != 0 && wanted - symbol.st_value >= symbol.st_size)) continue;
        if (symbol.st_size == 0 && type != STT_FUNC) continue;
        if (found && symbol.st_value <= best.st_value) continue;
        best = symbol;
        found = true;
    }
    if (!found || best.st_name >= names.size()) return {};
    const std::string name = printable(names.c_str() + best.st_name);
    return wanted == best.st_value ? name : fmt::format("{}+{:#x}", name, wanted - best.st_value);
}

}  // namespace divisi::hv
