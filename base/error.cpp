#include "base/error.hpp"

#include <utility>

namespace divisi {
namespace {

class DivisiCategory final : public std::error_category {
public:
    [[nodiscard]] const char* name() const noexcept override { return "divisi"; }

    [[nodiscard]] std::string message(int value) const override {
        switch (static_cast<Errc>(value)) {
            case Errc::kFailed: return "failed";
            case Errc::kUsage: return "bad request";
            case Errc::kInvalidPolicy: return "invalid policy";
            case Errc::kInsufficient: return "not enough resources";
            case Errc::kUnreachable: return "out of reach";
            case Errc::kNotFound: return "not found";
            case Errc::kExists: return "already exists";
            case Errc::kBusy: return "busy";
            case Errc::kUnsupported: return "not supported";
            case Errc::kProtocol: return "protocol error";
            case Errc::kBadImage: return "program cannot run in a node";
        }
        return "unknown";
    }
};

}  // namespace

const std::error_category& divisi_category() noexcept {
    static const DivisiCategory category;
    return category;
}

std::error_code make_error_code(Errc errc) noexcept {
    return {static_cast<int>(errc), divisi_category()};
}

std::string Error::message() const {
    std::string text;
    const auto append = [&text](std::string_view part) {
        if (part.empty()) return;
        if (!text.empty()) text += ": ";
        text += part;
    };
    append(object);
    append(operation);
    // Our own kinds only sort errors; their sentence is the operation. An errno always adds information.
    if (operation.empty() || cause.category() != divisi_category()) append(cause.message());
    if (!hint.empty()) text += " (" + hint + ")";
    return text;
}

int Error::exit_code() const noexcept {
    if (cause.category() != divisi_category()) return 1;
    const int value = cause.value();
    return value >= static_cast<int>(Errc::kFailed) && value <= static_cast<int>(Errc::kUnreachable) ? value : 1;
}

Error make_error(Errc errc, std::string operation, std::string object, std::string hint) {
    return {make_error_code(errc), std::move(operation), std::move(object), std::move(hint)};
}

Error system_error(int error_number, std::string operation, std::string object, std::string hint) {
    return {{error_number, std::generic_category()}, std::move(operation), std::move(object), std::move(hint)};
}

}  // namespace divisi
