// Malformed programs: whatever the bytes, reading and loading them ends with a program or with an error.
#include <elf.h>
#include <fcntl.h>
#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "hv/blocking_calls.hpp"
#include "hv/elf/image.hpp"
#include "hv/program.hpp"

namespace divisi::hv {
namespace {

using Bytes = std::vector<std::byte>;

// A program as linkers make them: code, data with zeros behind it, thread-local storage, notes, and symbols.
struct Original {
    Elf64_Ehdr header{};
    std::array<Elf64_Phdr, 6> segments{};
    std::array<Elf64_Shdr, 3> sections{};
    std::array<Elf64_Sym, 3> symbols{};
    std::array<char, 24> names{"\0main\0helper"};
    std::array<char, 32> note{};
    std::array<char, 8192> rest{};
};

Elf64_Phdr segment(std::uint32_t type, std::uint32_t flags, std::uint64_t offset, std::uint64_t bytes,
                   std::uint64_t memory) {
    Elf64_Phdr result{};
    result.p_type = type;
    result.p_flags = flags;
    result.p_offset = offset;
    result.p_vaddr = 0x400000 + offset;
    result.p_filesz = bytes;
    result.p_memsz = memory;
    result.p_align = kPageBytes;
    return result;
}

Elf64_Shdr section(std::uint32_t type, std::uint64_t offset, std::uint64_t bytes, std::uint32_t link) {
    Elf64_Shdr result{};
    result.sh_type = type;
    result.sh_offset = offset;
    result.sh_size = bytes;
    result.sh_link = link;
    return result;
}

Bytes original(std::uint16_t type) {
    Original file;
    std::memcpy(static_cast<void*>(file.header.e_ident), ELFMAG, SELFMAG);
    file.header.e_ident[EI_CLASS] = ELFCLASS64;
    file.header.e_ident[EI_DATA] = ELFDATA2LSB;
    file.header.e_type = type;
    file.header.e_machine = EM_X86_64;
    file.header.e_entry = 0x400000 + offsetof(Original, rest);
    file.header.e_phoff = offsetof(Original, segments);
    file.header.e_phentsize = sizeof(Elf64_Phdr);
    file.header.e_phnum = static_cast<std::uint16_t>(file.segments.size());
    file.header.e_shoff = offsetof(Original, sections);
    file.header.e_shentsize = sizeof(Elf64_Shdr);
    file.header.e_shnum = static_cast<std::uint16_t>(file.sections.size());
    file.segments = {segment(PT_LOAD, PF_R | PF_X, 0, kPageBytes, kPageBytes),
                     segment(PT_LOAD, PF_R | PF_W, kPageBytes, 2048, 3 * kPageBytes),
                     segment(PT_NOTE, PF_R, offsetof(Original, note), sizeof file.note, sizeof file.note),
                     segment(PT_TLS, PF_R, kPageBytes, 16, 64),
                     segment(PT_GNU_STACK, PF_R | PF_W, 0, 0, 0),
                     segment(PT_NULL, 0, 0, 0, 0)};
    file.sections = {section(SHT_NULL, 0, 0, 0),
                     section(SHT_SYMTAB, offsetof(Original, symbols), sizeof file.symbols, 2),
                     section(SHT_STRTAB, offsetof(Original, names), sizeof file.names, 0)};
    for (std::size_t i = 1; i < file.symbols.size(); ++i) {
        file.symbols.at(i).st_name = static_cast<std::uint32_t>(1 + (i - 1) * 5);
        file.symbols.at(i).st_info = ELF64_ST_INFO(STB_GLOBAL, STT_FUNC);
        file.symbols.at(i).st_shndx = 1;
        file.symbols.at(i).st_value = file.header.e_entry + i * 16;
        file.symbols.at(i).st_size = 16;
    }
    Bytes bytes(sizeof file);
    std::memcpy(bytes.data(), &file, sizeof file);
    return bytes;
}

// Damages a program in one of the ways in which files are damaged, or in which people damage them.
class Damage {
public:
    explicit Damage(unsigned seed) : random_(seed) {}

    void operator()(Bytes& bytes) {
        const std::size_t times = 1 + next() % 4;
        for (std::size_t i = 0; i < times && bytes.size() > 64; ++i) once(bytes);
    }

private:
    std::uint64_t next() { return random_(); }
    // Mostly where it matters.
    std::size_t place(const Bytes& bytes) {
        const std::size_t range = next() % 8 == 0 ? bytes.size() : offsetof(Original, rest);
        return next() % std::min(range, bytes.size() - 8);
    }
    std::uint64_t extreme() {
        static constexpr std::array<std::uint64_t, 16> kValues{0,
                                                               1,
                                                               0xff,
                                                               0xffff,
                                                               kPageBytes,
                                                               0x7fffffff,
                                                               0x80000000,
                                                               0xffffffff,
                                                               0x400000,
                                                               kLowestGva,
                                                               kMmapTop,
                                                               kWindowGva,
                                                               kUserBytes,
                                                               0x7fffffffffffffff,
                                                               0x8000000000000000,
                                                               0xffffffffffffffff};
        return kValues.at(next() % kValues.size()) + next() % 3 - 1;
    }
    void once(Bytes& bytes) {
        const std::size_t at = place(bytes);
        switch (next() % 6) {
            case 0: bytes[at] ^= static_cast<std::byte>(1U << (next() % 8)); break;
            case 1: bytes[at] = static_cast<std::byte>(next()); break;
            case 2: write(bytes, at & ~7ULL, extreme()); break;
            case 3: write(bytes, at & ~7ULL, next()); break;
            case 4: bytes.resize(64 + next() % bytes.size()); break;
            default: {  // one header over another: overlaps and doubles
                const auto from = offsetof(Original, segments) + next() % 6 * sizeof(Elf64_Phdr);
                const auto to = offsetof(Original, segments) + next() % 6 * sizeof(Elf64_Phdr);
                if (std::max(from, to) + sizeof(Elf64_Phdr) <= bytes.size())
                    std::memmove(bytes.data() + to, bytes.data() + from, sizeof(Elf64_Phdr));
            }
        }
    }
    static void write(Bytes& bytes, std::size_t at, std::uint64_t value) {
        if (at + sizeof value <= bytes.size()) std::memcpy(bytes.data() + at, &value, sizeof value);
    }

    std::mt19937_64 random_;
};

// Loads programs one after another into one node's memory.
class Loader : public ::testing::Test {
protected:
    void SetUp() override {
        constexpr std::size_t kRamBytes = 16U << 20U;
        auto ram = Ram::create("fuzz", kRamBytes, -1);
        ASSERT_TRUE(ram);
        ram_ = std::move(*ram);
        auto tables = PageTables::create(kPageBytes);
        ASSERT_TRUE(tables);
        tables_ = std::move(*tables);
    }

    Result<std::unique_ptr<Program>> load(Image image) {
        ProgramSpec spec;
        spec.image = std::move(image);
        spec.argv = {"prog", "argument"};
        spec.environment = {"NAME=value"};
        FilePlacesSpec places;
        places.working_folder = std::make_shared<const Fd>(::open(".", O_PATH | O_CLOEXEC));
        DIVISI_TRY_ASSIGN(FileView view, FileView::create(std::move(places)));
        spec.view = std::make_shared<const FileView>(std::move(view));
        for (auto* file : {&spec.standard_input, &spec.standard_output, &spec.standard_error}) {
            *file = std::make_shared<OpenFile>();
            (*file)->fd = Fd(::open("/dev/null", O_RDWR | O_CLOEXEC));
        }
        spec.ram = ram_.get();
        spec.tables = tables_.get();
        spec.nodes = {0};
        spec.kick = [](unsigned) {};
        return Program::create(std::move(spec), Services{timers_, futexes_, blocking_});
    }

    std::unique_ptr<Ram> ram_;
    std::unique_ptr<PageTables> tables_;
    Timers timers_;
    FutexTable futexes_{timers_};
    BlockingCalls blocking_;
};

Result<Image> read_bytes(const Bytes& bytes) {
    auto file = create_memfd("image", bytes.size());
    if (!file) return std::move(file).error();
    const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    if (auto written = write_all(file->get(), text, "image"); !written) return std::move(written).error();
    return read_image(std::move(*file), "prog");
}

TEST_F(Loader, TheOriginalLoads) {
    for (const auto type : {std::uint16_t{ET_EXEC}, std::uint16_t{ET_DYN}}) {
        const auto image = read_bytes(original(type));
        ASSERT_TRUE(image) << image.error().message();
        EXPECT_FALSE(symbolize(*image, image->entry + 20).empty());
        const auto program = load(*image);
        EXPECT_TRUE(program) << program.error().message();
    }
}

TEST_F(Loader, MalformedProgramsEndInAnErrorOrInAProgram) {
    constexpr unsigned kPrograms = 3000;
    unsigned loaded = 0;
    for (unsigned seed = 0; seed < kPrograms; ++seed) {
        SCOPED_TRACE(seed);
        Bytes bytes = original(seed % 2 == 0 ? ET_EXEC : ET_DYN);
        Damage{seed}(bytes);
        const auto image = read_bytes(bytes);
        if (!image) {
            EXPECT_FALSE(image.error().message().empty());
            continue;
        }
        for (const Gva address : {image->entry, Gva{0}, image->entry + 24, ~Gva{0}}) symbolize(*image, address);
        const auto program = load(*image);
        if (program) ++loaded;
    }
    EXPECT_GT(loaded, kPrograms / 10);
    EXPECT_EQ(ram_->free_frames(), ram_->frame_count());
}

}  // namespace
}  // namespace divisi::hv
