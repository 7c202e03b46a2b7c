#include "hv/inspector.hpp"

#include <string_view>

namespace divisi::hv {
namespace {

struct Vdso {
    Fd file;
    Gva address = 0;
};

// The only code among the windows, as a file of its own.
std::optional<Vdso> copy_vdso(const Program& program) {
    const PageTables& tables = *program.spec().tables;
    std::size_t at = 0;
    for (const WindowPiece& piece : tables.windows()) {
        if (piece.executable && program.spec().node_page) {
            auto file = create_memfd("divisi-vdso", piece.size_bytes);
            if (!file) return std::nullopt;
            // SAFETY: the window's pages are mapped for as long as the tables live; code is never written by a guest.
            const auto* bytes = reinterpret_cast<const char*>(tables.window_host(at));
            if (!write_all(file->get(), std::string_view(bytes, piece.size_bytes), "vdso")) return std::nullopt;
            return Vdso{std::move(*file), kWindowGva + at};
        }
        at += piece.size_bytes;
    }
    return std::nullopt;
}

Result<Unwinder> start_unwinder(const Program& program) {
    const auto vdso = copy_vdso(program);
    const VdsoPlace place = vdso ? VdsoPlace{vdso->file.get(), vdso->address} : VdsoPlace{};
    const UnwindServer* server = program.services().unwinding;
    if (server == nullptr) return make_error(Errc::kUnsupported, "no divisi-unwind");
    return server->open(program.spec().image, place,
                        [&program](Gva page, std::span<std::byte> to) { return program.memory().inspect(page, to); });
}

}  // namespace

Inspector::Inspector(const Program& program, std::chrono::milliseconds patience)
    : program_(program), deadline_(std::chrono::steady_clock::now() + patience) {}

Result<Backtrace> Inspector::unwind(const Registers& registers, std::size_t most) {
    if (!unwinder_) {
        DIVISI_TRY_ASSIGN(unwinder_, start_unwinder(program_));
    }
    return unwinder_->unwind(
        registers, most,
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline_ - std::chrono::steady_clock::now()));
}

Backtrace Inspector::backtrace(const Registers& registers, std::size_t most) {
    if (usable_) {
        auto result = unwind(registers, most);
        if (result && !result->empty()) return std::move(*result);
        usable_ = result.has_value();
    }
    return {{registers.rip, symbolize(program_.spec().image, registers.rip), {}}};
}

}  // namespace divisi::hv
