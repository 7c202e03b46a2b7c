#include "hv/unwind/symbols.hpp"

#include <cxxabi.h>
#include <dwarf.h>
#include <elfutils/libdw.h>
#include <fmt/format.h>

#include <cstdlib>

namespace divisi::hv {
namespace {

constexpr int kPid = 1;  // there is no process: any number will do
constexpr std::size_t kRsp = 7, kRip = 16;

// Debug information comes with the image or not at all.
int find_no_debug_information(Dwfl_Module* /*module*/, void** /*data*/, const char* /*name*/, Dwarf_Addr /*base*/,
                              const char* /*file*/, const char* /*link*/, GElf_Word /*checksum*/, char** /*found*/) {
    return -1;
}

std::string demangled(const char* name) {
    if (name == nullptr) return {};
    int status = 0;
    const std::unique_ptr<char, decltype(&std::free)> plain(abi::__cxa_demangle(name, nullptr, nullptr, &status),
                                                            &std::free);
    return status == 0 && plain ? plain.get() : name;
}

std::string place(const char* file, int line) {
    return file == nullptr ? std::string() : line > 0 ? fmt::format("{}:{}", file, line) : std::string(file);
}

std::string source_of(Dwfl_Module* module, Dwarf_Addr pc) {
    Dwfl_Line* line = ::dwfl_module_getsrc(module, pc);
    if (line == nullptr) return {};
    int number = 0;
    const char* file = ::dwfl_lineinfo(line, nullptr, &number, nullptr, nullptr, nullptr);
    return place(file, number);
}

// Where an inlined function was called from.
std::string call_site(Dwarf_Die* inlined) {
    Dwarf_Attribute attribute;
    Dwarf_Word line = 0;
    Dwarf_Word file = 0;
    if (::dwarf_formudata(::dwarf_attr(inlined, DW_AT_call_line, &attribute), &line) != 0 ||
        ::dwarf_formudata(::dwarf_attr(inlined, DW_AT_call_file, &attribute), &file) != 0)
        return {};
    Dwarf_Die unit;
    Dwarf_Files* files = nullptr;
    std::size_t count = 0;
    if (::dwarf_diecu(inlined, &unit, nullptr, nullptr) == nullptr || ::dwarf_getsrcfiles(&unit, &files, &count) != 0 ||
        file >= count)
        return {};
    return place(::dwarf_filesrc(files, file, nullptr, nullptr), static_cast<int>(line));
}

std::string name_of(Dwarf_Die* die) {
    Dwarf_Attribute attribute;
    for (const unsigned name : {DW_AT_linkage_name, DW_AT_MIPS_linkage_name}) {
        if (const char* linkage = ::dwarf_formstring(::dwarf_attr_integrate(die, name, &attribute)); linkage != nullptr)
            return demangled(linkage);
    }
    const char* plain = ::dwarf_diename(die);
    return plain == nullptr ? "??" : plain;
}

std::string cut(std::string text) {
    if (text.size() > kUnwindTextBytes) text.resize(kUnwindTextBytes);
    return text;
}

}  // namespace

std::unique_ptr<Symbols> Symbols::open(Target& target, int image, std::uint64_t load_base, int vdso,
                                       std::uint64_t vdso_base) {
    static const Dwfl_Callbacks callbacks{::dwfl_build_id_find_elf, find_no_debug_information,
                                          ::dwfl_offline_section_address, nullptr};
    static const Dwfl_Thread_Callbacks threads{[](Dwfl*, void* self, void** thread) -> pid_t {
                                                   if (*thread != nullptr) return 0;
                                                   *thread = self;
                                                   return kPid;
                                               },
                                               [](Dwfl*, pid_t, void* self, void** thread) {
                                                   *thread = self;
                                                   return true;
                                               },
                                               read_word,
                                               set_registers,
                                               nullptr,
                                               nullptr};
    Dwfl* dwfl = ::dwfl_begin(&callbacks);
    if (dwfl == nullptr) return nullptr;
    std::unique_ptr<Symbols> symbols(new Symbols(target, dwfl));
    ::dwfl_report_begin(dwfl);
    const bool reported = ::dwfl_report_elf(dwfl, "program", "program", image, load_base, true) != nullptr;
    if (vdso >= 0) ::dwfl_report_elf(dwfl, "vdso", "vdso", vdso, vdso_base, true);
    ::dwfl_report_end(dwfl, nullptr, nullptr);
    if (!reported || !::dwfl_attach_state(dwfl, nullptr, kPid, &threads, symbols.get())) return nullptr;
    return symbols;
}

Symbols::~Symbols() {
    ::dwfl_end(dwfl_);
}

bool Symbols::read_word(Dwfl* /*dwfl*/, Dwarf_Addr address, Dwarf_Word* result, void* self) {
    const auto value = static_cast<Symbols*>(self)->target_.word(address);
    if (value) *result = *value;
    return value.has_value();
}

bool Symbols::set_registers(Dwfl_Thread* thread, void* self) {
    const auto& registers = static_cast<Symbols*>(self)->request_.registers;
    return ::dwfl_thread_state_registers(thread, 0, kUnwindRegisters, registers.data());
}

int Symbols::on_frame(Dwfl_Frame* frame, void* self) {
    auto& symbols = *static_cast<Symbols*>(self);
    Dwarf_Addr pc = 0;
    bool is_activation = false;
    if (!::dwfl_frame_pc(frame, &pc, &is_activation)) return DWARF_CB_ABORT;
    if (pc == 0 || symbols.full()) return DWARF_CB_ABORT;
    const bool after_call = std::exchange(symbols.innermost_is_return_, false) || !is_activation;
    symbols.add(pc, after_call);
    return DWARF_CB_OK;
}

void Symbols::add_frame(std::uint64_t pc, std::string symbol, std::string source) {
    frames_.push_back(json::object{
        {"pc", fmt::format("{:#x}", pc)}, {"symbol", cut(std::move(symbol))}, {"source", cut(std::move(source))}});
}

// A return address may be the next function's, or the next line's: it is the call before it that counts.
void Symbols::add(std::uint64_t pc, bool after_call) {
    const Dwarf_Addr at = after_call ? pc - 1 : pc;
    Dwfl_Module* module = ::dwfl_addrmodule(dwfl_, at);
    if (module == nullptr) return add_frame(pc, {}, {});
    GElf_Off offset = 0;
    GElf_Sym symbol;
    const char* name = ::dwfl_module_addrinfo(module, at, &offset, &symbol, nullptr, nullptr, nullptr);
    Dwarf_Addr bias = 0;
    Dwarf_Die* unit = ::dwfl_module_addrdie(module, at, &bias);
    // Without a unit that has it, the nearest line would be another's.
    std::string source = unit == nullptr ? std::string() : source_of(module, at);
    Dwarf_Die* scopes = nullptr;
    const int count = unit == nullptr ? 0 : ::dwarf_getscopes(unit, at - bias, &scopes);
    const std::unique_ptr<Dwarf_Die, decltype(&std::free)> owned(scopes, &std::free);
    for (int i = 0; i < count && !full(); ++i) {
        Dwarf_Die* scope = scopes + i;
        const int tag = ::dwarf_tag(scope);
        if (tag == DW_TAG_subprogram) break;
        if (tag != DW_TAG_inlined_subroutine) continue;
        add_frame(pc, name_of(scope) + " (inlined)", std::move(source));
        source = call_site(scope);
    }
    offset += pc - at;
    add_frame(pc,
              name == nullptr ? ""
              : offset == 0   ? demangled(name)
                              : fmt::format("{}+{:#x}", demangled(name), offset),
              std::move(source));
}

json::object Symbols::unwind(const UnwindRequest& request) {
    request_ = request;
    frames_.clear();
    innermost_is_return_ = false;
    // A call to nowhere has left the way back on top of the stack.
    if (auto& registers = request_.registers; !known(registers[kRip])) {
        add_frame(registers[kRip], {}, {});
        const auto back = target_.word(registers[kRsp]);
        if (!back || !known(*back)) return {{"frames", std::move(frames_)}};
        registers[kRip] = *back;
        registers[kRsp] += sizeof(std::uint64_t);
        innermost_is_return_ = true;
    }
    ::dwfl_getthread_frames(dwfl_, kPid, on_frame, this);
    return {{"frames", std::move(frames_)}};
}

}  // namespace divisi::hv
