#include "hv/core_file.hpp"

#include <elf.h>
#include <sys/mman.h>
#include <sys/procfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>

namespace divisi::hv {
namespace {

constexpr std::size_t kMostSegments = PN_XNUM - 1;
constexpr std::size_t kLegacyBytes = 512;      // of an XSAVE area: what FXSAVE writes
constexpr std::size_t kSoftwareBytesAt = 464;  // where Linux puts XCR0, and gdb looks for it
constexpr std::size_t kXsaveHeaderEnd = 576;
constexpr std::size_t kXsaveBytes = 2688;
constexpr std::uint16_t kUserCode = 0x33, kUserData = 0x2b;

// Notes, one after another.
class Notes {
public:
    template <typename T>
    void add(Elf64_Word type, const T& content, const char* owner = "CORE") {
        add(type, &content, sizeof content, owner);
    }
    void add(Elf64_Word type, const void* content, std::size_t bytes, const char* owner = "CORE") {
        const Elf64_Nhdr header{static_cast<Elf64_Word>(std::strlen(owner) + 1), static_cast<Elf64_Word>(bytes), type};
        append(&header, sizeof header);
        append(owner, std::strlen(owner) + 1);
        append(content, bytes);
    }
    [[nodiscard]] const std::string& bytes() const { return bytes_; }

private:
    void append(const void* from, std::size_t bytes) {
        bytes_.append(static_cast<const char*>(from), bytes);
        bytes_.resize((bytes_.size() + 3) / 4 * 4);
    }
    std::string bytes_;
};

user_regs_struct user_registers(const ThreadContext& context) {
    const Registers& from = context.regs;
    user_regs_struct to{};
    to.r15 = from.r15;
    to.r14 = from.r14;
    to.r13 = from.r13;
    to.r12 = from.r12;
    to.rbp = from.rbp;
    to.rbx = from.rbx;
    to.r11 = from.r11;
    to.r10 = from.r10;
    to.r9 = from.r9;
    to.r8 = from.r8;
    to.rax = from.rax;
    to.rcx = from.rcx;
    to.rdx = from.rdx;
    to.rsi = from.rsi;
    to.rdi = from.rdi;
    to.orig_rax = ~0ULL;
    to.rip = from.rip;
    to.cs = kUserCode;
    to.eflags = from.rflags;
    to.rsp = from.rsp;
    to.ss = kUserData;
    to.fs_base = context.fs_base;
    to.gs_base = context.gs_base;
    return to;
}

// Where processors put the parts of an XSAVE area is their own affair. Debuggers of all ages know this one, Intel's.
std::array<std::byte, kXsaveBytes> to_usual_layout(const std::vector<std::byte>& xsave) {
    struct Part {
        std::uint32_t component;
        std::size_t offset, bytes;
    };
    constexpr std::array<Part, 4> kParts{{{2, 576, 256}, {5, 1088, 64}, {6, 1152, 512}, {7, 1664, 1024}}};
    std::array<std::byte, kXsaveBytes> result{};
    std::copy_n(xsave.begin(), std::min(xsave.size(), kXsaveHeaderEnd), result.begin());
    for (const Part& part : kParts) {
        std::uint32_t eax = 0xd;
        std::uint32_t from = 0;
        std::uint32_t ecx = part.component;
        std::uint32_t edx = 0;
        __asm__ volatile("cpuid" : "+a"(eax), "=b"(from), "+c"(ecx), "=d"(edx));
        if (from == 0 || eax != part.bytes || from + part.bytes > xsave.size()) continue;
        std::copy_n(xsave.begin() + from, part.bytes, result.begin() + static_cast<std::ptrdiff_t>(part.offset));
    }
    constexpr std::uint64_t kComponents = 0xe7;  // x87, SSE, AVX, AVX-512
    std::memcpy(result.data() + kSoftwareBytesAt, &kComponents, sizeof kComponents);
    return result;
}

void add_thread(Notes& notes, const Program& program, const Thread& thread, int signo) {
    elf_prstatus status{};
    status.pr_info.si_signo = signo;
    status.pr_cursig = static_cast<short>(signo);
    status.pr_pid = thread.tid;
    status.pr_ppid = 1;
    status.pr_pgrp = status.pr_sid = program.pid();
    const user_regs_struct registers = user_registers(thread.context);
    static_assert(sizeof status.pr_reg == sizeof registers);
    std::memcpy(&status.pr_reg, &registers, sizeof registers);
    status.pr_fpvalid = thread.context.xsave.empty() ? 0 : 1;
    notes.add(NT_PRSTATUS, status);
    if (thread.context.xsave.size() < kLegacyBytes) return;
    notes.add(NT_FPREGSET, thread.context.xsave.data(), kLegacyBytes);
    const auto vectors = to_usual_layout(thread.context.xsave);
    notes.add(NT_X86_XSTATE, vectors.data(), vectors.size(), "LINUX");
}

void add_process(Notes& notes, const Program& program, const FaultReport& fault) {
    elf_prpsinfo process{};
    process.pr_sname = 'R';
    process.pr_pid = program.pid();
    process.pr_ppid = 1;
    process.pr_uid = ::getuid();
    process.pr_gid = ::getgid();
    const std::string& path = program.spec().image.path;
    path.substr(path.rfind('/') + 1).copy(process.pr_fname, sizeof process.pr_fname - 1);
    std::string command;
    for (const std::string& argument : program.spec().argv) command += (command.empty() ? "" : " ") + argument;
    command.copy(process.pr_psargs, sizeof process.pr_psargs - 1);
    notes.add(NT_PRPSINFO, process);
    siginfo_t info{};
    info.si_signo = fault.signo;
    info.si_code = fault.code;
    if (fault.has_address) info.si_addr = reinterpret_cast<void*>(fault.address);  // NOLINT: a number, never followed
    notes.add(NT_SIGINFO, info);
    const std::vector<std::uint64_t>& auxiliary = program.auxiliary_vector();
    notes.add(NT_AUXV, auxiliary.data(), auxiliary.size() * sizeof auxiliary[0]);
}

void add_files(Notes& notes, const std::vector<AddressSpace::AreaView>& areas) {
    std::vector<std::uint64_t> numbers{0, kPageBytes};
    std::string names;
    for (const auto& area : areas) {
        if (area.file.empty()) continue;
        ++numbers[0];
        numbers.insert(numbers.end(), {area.begin, area.end, area.offset / kPageBytes});
        names += area.file + '\0';
    }
    std::string content(reinterpret_cast<const char*>(numbers.data()), numbers.size() * sizeof numbers[0]);
    content += names;
    notes.add(NT_FILE, content.data(), content.size());
}

Notes make_notes(const Program& program, const FaultReport& fault, const std::vector<AddressSpace::AreaView>& areas) {
    Notes notes;
    const auto threads = program.threads();
    // The first is the one that a debugger shows.
    for (const bool faulting : {true, false}) {
        for (const auto& thread : threads) {
            if ((thread->tid - program.pid() == fault.thread) != faulting) continue;
            add_thread(notes, program, *thread, faulting ? fault.signo : 0);
            if (faulting) add_process(notes, program, fault);
        }
    }
    add_files(notes, areas);
    return notes;
}

// A file that is written up to a limit, and no further.
struct CoreFile {
    const Fd& fd;
    std::uint64_t limit;

    [[nodiscard]] Result<void> write_at(const void* data, std::size_t bytes, std::uint64_t offset) const {
        const auto* from = static_cast<const char*>(data);
        bytes = static_cast<std::size_t>(std::min<std::uint64_t>(bytes, limit - std::min(limit, offset)));
        while (bytes != 0) {
            const ssize_t count = ::pwrite(fd.get(), from, bytes, static_cast<off_t>(offset));
            if (count < 0 && errno == EINTR) continue;
            if (count <= 0) return system_error(count < 0 ? errno : ENOSPC, "cannot write a core file");
            from += count;
            offset += static_cast<std::uint64_t>(count);
            bytes -= static_cast<std::size_t>(count);
        }
        return {};
    }
};

bool all_zero(std::span<const std::byte> page) {
    return std::all_of(page.begin(), page.end(), [](std::byte byte) { return byte == std::byte{0}; });
}

// What is zero stays a hole.
Result<void> write_area(const Program& program, const CoreFile& file, const AddressSpace::AreaView& area,
                        std::uint64_t offset) {
    std::array<std::byte, kPageBytes> page{};
    for (const Gva at : program.memory().pages_with_content(area.begin, area.end)) {
        if (offset + (at - area.begin) >= file.limit) break;
        if (!program.memory().inspect(at, page) || all_zero(page)) continue;
        DIVISI_TRY(file.write_at(page.data(), page.size(), offset + (at - area.begin)));
    }
    return {};
}

Elf64_Ehdr file_header(std::size_t segments) {
    Elf64_Ehdr header{};
    std::memcpy(header.e_ident, ELFMAG, SELFMAG);
    header.e_ident[EI_CLASS] = ELFCLASS64;
    header.e_ident[EI_DATA] = ELFDATA2LSB;
    header.e_ident[EI_VERSION] = EV_CURRENT;
    header.e_type = ET_CORE;
    header.e_machine = EM_X86_64;
    header.e_version = EV_CURRENT;
    header.e_phoff = header.e_ehsize = sizeof header;
    header.e_phentsize = sizeof(Elf64_Phdr);
    header.e_phnum = static_cast<Elf64_Half>(segments);
    return header;
}

}  // namespace

Result<void> write_core(const Program& program, const FaultReport& fault, const Fd& fd, std::uint64_t limit) {
    const CoreFile file{fd, limit};
    std::vector<AddressSpace::AreaView> areas = program.memory().areas();
    std::erase_if(areas, [](const auto& area) { return area.window && (area.prot & PROT_EXEC) == 0; });
    if (areas.size() >= kMostSegments) areas.resize(kMostSegments - 1);
    const Notes notes = make_notes(program, fault, areas);
    std::vector<Elf64_Phdr> headers(areas.size() + 1);
    std::uint64_t at = sizeof(Elf64_Ehdr) + headers.size() * sizeof headers[0];
    headers[0].p_type = PT_NOTE;
    headers[0].p_offset = at;
    headers[0].p_filesz = notes.bytes().size();
    DIVISI_TRY(file.write_at(notes.bytes().data(), notes.bytes().size(), at));
    at = page_ceil(at + notes.bytes().size());
    for (std::size_t i = 0; i < areas.size(); ++i) {
        const auto& area = areas[i];
        Elf64_Phdr& header = headers[i + 1];
        header.p_type = PT_LOAD;
        header.p_flags = ((area.prot & PROT_READ) != 0 ? PF_R : 0U) | ((area.prot & PROT_WRITE) != 0 ? PF_W : 0U) |
                         ((area.prot & PROT_EXEC) != 0 ? PF_X : 0U);
        header.p_offset = at;
        header.p_vaddr = area.begin;
        header.p_align = kPageBytes;
        header.p_memsz = area.end - area.begin;
        // A reservation holds nothing to look at.
        header.p_filesz = area.prot == PROT_NONE ? 0 : header.p_memsz;
        if (header.p_filesz != 0) DIVISI_TRY(write_area(program, file, area, at));
        at += header.p_filesz;
    }
    if (::ftruncate(fd.get(), static_cast<off_t>(std::min(at, limit))) != 0)
        return system_error(errno, "cannot write a core file");
    DIVISI_TRY(file.write_at(headers.data(), headers.size() * sizeof headers[0], sizeof(Elf64_Ehdr)));
    const Elf64_Ehdr header = file_header(headers.size());
    return file.write_at(&header, sizeof header, 0);
}

}  // namespace divisi::hv
