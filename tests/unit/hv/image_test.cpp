#include "hv/elf/image.hpp"

#include <elf.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <random>
#include <string>

namespace divisi::hv {
namespace {

using ::testing::HasSubstr;

// The smallest program that is right: one executable segment.
struct Program {
    Elf64_Ehdr header{};
    Elf64_Phdr segment{};
    char code[64] = {};

    Program() {
        std::memcpy(static_cast<void*>(header.e_ident), ELFMAG, SELFMAG);
        header.e_ident[EI_CLASS] = ELFCLASS64;
        header.e_ident[EI_DATA] = ELFDATA2LSB;
        header.e_type = ET_EXEC;
        header.e_machine = EM_X86_64;
        header.e_entry = 0x400000 + offsetof(Program, code);
        header.e_phoff = offsetof(Program, segment);
        header.e_phentsize = sizeof(Elf64_Phdr);
        header.e_phnum = 1;
        segment.p_type = PT_LOAD;
        segment.p_flags = PF_R | PF_X;
        segment.p_vaddr = 0x400000;
        segment.p_filesz = segment.p_memsz = sizeof(Program);
    }
};

Result<Image> read_bytes(const void* bytes, std::size_t size) {
    auto file = create_memfd("image", size);
    EXPECT_TRUE(file);
    EXPECT_TRUE(write_all(file->get(), {static_cast<const char*>(bytes), size}, "image"));
    return read_image(std::move(*file), "prog");
}

Result<Image> read_program(const Program& program) {
    return read_bytes(&program, sizeof program);
}

void expect_refused(const Program& program, const std::string& why) {
    const auto image = read_program(program);
    ASSERT_FALSE(image);
    EXPECT_TRUE(image.error().is(Errc::kBadImage));
    EXPECT_THAT(image.error().message(), HasSubstr(why));
    EXPECT_THAT(image.error().message(), HasSubstr("prog"));
}

TEST(Image, ReadsAStaticProgram) {
    const auto image = read_program(Program());
    ASSERT_TRUE(image) << image.error().message();
    EXPECT_EQ(image->segments.size(), 1U);
    EXPECT_EQ(image->program_headers, 0x400000U + offsetof(Program, segment));
    EXPECT_EQ(image->load_base, 0U);
}

TEST(Image, MovesAPositionIndependentOne) {
    Program program;
    program.header.e_type = ET_DYN;
    program.header.e_entry -= 0x400000;
    program.segment.p_vaddr = 0;
    const auto image = read_program(program);
    ASSERT_TRUE(image) << image.error().message();
    EXPECT_EQ(image->load_base, kPieBase);
    EXPECT_EQ(image->segments[0].address, kPieBase);
}

TEST(Image, SaysWhatADynamicProgramNeeds) {
    Program program;
    program.segment.p_type = PT_INTERP;
    expect_refused(program, "divisi-cc");
}

TEST(Image, RefusesOtherProcessors) {
    Program program;
    program.header.e_machine = EM_AARCH64;
    expect_refused(program, "another processor");
}

TEST(Image, RefusesScriptsAndText) {
    const auto script = read_bytes("#!/bin/sh\necho\n", 15);
    ASSERT_FALSE(script);
    EXPECT_THAT(script.error().message(), HasSubstr("script"));
    const std::string text(200, 'x');
    EXPECT_FALSE(read_bytes(text.data(), text.size()));
    EXPECT_FALSE(read_bytes("", 0));
}

TEST(Image, RefusesSegmentsOutsideOfTheAddressSpace) {
    Program program;
    program.segment.p_vaddr = 0xffffff8000000000;
    expect_refused(program, "segment");
    program.segment.p_vaddr = 0;
    expect_refused(program, "outside");
}

TEST(Image, RefusesTruncatedFiles) {
    Program program;
    program.segment.p_filesz = program.segment.p_memsz = 1U << 20U;
    expect_refused(program, "truncated");
}

TEST(Image, RefusesAnEntryThatIsNotCode) {
    Program program;
    program.segment.p_flags = PF_R;
    expect_refused(program, "entry point");
}

// A program with a second segment: notes.
struct NotedProgram {
    Program program;
    struct {
        Elf64_Nhdr header{};
        char owner[8] = {};
        std::uint32_t version = 1;
    } notes[2];

    NotedProgram() {
        for (auto& note : notes) {
            note.header = {7, 4, 1};
            std::memcpy(static_cast<void*>(note.owner), kNoteOwner.data(), kNoteOwner.size());
        }
        program.header.e_phnum = 2;
        // The second program header lies where the code was; the code is moved behind it.
        Elf64_Phdr segment{};
        segment.p_type = PT_NOTE;
        segment.p_offset = offsetof(NotedProgram, notes);
        segment.p_filesz = sizeof notes;
        std::memcpy(static_cast<void*>(program.code), &segment, sizeof segment);
        program.header.e_entry += sizeof segment;
    }
};

bool passes_messages(const NotedProgram& program) {
    const auto image = read_bytes(&program, sizeof program);
    EXPECT_TRUE(image);
    return image && image->message_passing;
}

TEST(Image, TellsAnMpiProgramByItsNote) {
    NotedProgram program;
    EXPECT_FALSE(passes_messages(program));
    program.notes[1].header.n_type = kNoteTypeMpi;
    EXPECT_TRUE(passes_messages(program));
    program.notes[1].owner[0] = 'D';
    EXPECT_FALSE(passes_messages(program));
}

TEST(Image, StopsAtANoteThatIsLongerThanItsSegment) {
    NotedProgram program;
    program.notes[1].header.n_type = kNoteTypeMpi;
    program.notes[0].header.n_descsz = 0xffffffff;
    EXPECT_FALSE(passes_messages(program));
    program.notes[0].header.n_descsz = 4;
    program.notes[0].header.n_namesz = 0xffffffff;
    EXPECT_FALSE(passes_messages(program));
}

// Whatever the bytes, the answer is an image that obeys its own promises, or an error.
TEST(Image, SurvivesMutations) {
    std::mt19937 random(7);
    for (int round = 0; round < 2000; ++round) {
        Program program;
        auto* bytes = reinterpret_cast<unsigned char*>(&program);
        for (int i = 0; i < 4; ++i) bytes[random() % sizeof program] = static_cast<unsigned char>(random());
        const auto image = read_program(program);
        if (!image) continue;
        for (const ImageSegment& segment : image->segments) {
            EXPECT_GE(segment.address, kLowestGva);
            EXPECT_LE(segment.address + segment.memory_bytes, kMmapTop);
            EXPECT_LE(segment.file_bytes, segment.memory_bytes);
        }
        (void)symbolize(*image, image->entry);
    }
}

TEST(Image, NamesTheSymbolOfAnAddress) {
    auto self = open_file("/proc/self/exe", 0);
    ASSERT_TRUE(self);
    Image image;
    image.file = std::make_shared<const Fd>(std::move(*self));
    EXPECT_EQ(symbolize(image, 0), "");
}

}  // namespace
}  // namespace divisi::hv
