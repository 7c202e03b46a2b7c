// What went wrong, where, why, and the way out: the error value that crosses module borders.
//
// Shape: four parts, rendered by `message()` as "<object>: <operation>: <cause> (<hint>)"; empty parts vanish.
// Threads: a value; copy it freely.
#pragma once

#include <string>
#include <string_view>
#include <system_error>

namespace divisi {

// Kinds of failure that have no errno, and the exit codes they map to (docs/exit-codes in divisi(1)).
enum class Errc {
    kFailed = 1,     // exit 1: it was tried and did not work
    kUsage,          // exit 2: the request itself is malformed
    kInvalidPolicy,  // exit 3: a policy that cannot be meant
    kInsufficient,   // exit 4: the machine does not have what is asked for
    kUnreachable,    // exit 5: daemon or backend out of reach
    kNotFound,       // exit 1: a name that nothing answers to
    kExists,         // exit 1: a name that is taken
    kBusy,           // exit 1: something else holds it now
    kUnsupported,    // exit 1: understood, and not offered
    kProtocol,       // exit 1: the peer broke the protocol
    kBadImage,       // exit 1: a program image that cannot run in a node
};

const std::error_category& divisi_category() noexcept;
std::error_code make_error_code(Errc errc) noexcept;

struct Error {
    std::error_code cause;
    std::string operation;  // what was being done, a phrase: "cannot open the policy"
    std::string object;     // what it was done to: a path, a name, "file:line:column"
    std::string hint;       // what the user can do about it; a sentence or a command

    [[nodiscard]] std::string message() const;
    // The process exit code of a divisi program that ends because of this error.
    [[nodiscard]] int exit_code() const noexcept;
    [[nodiscard]] bool is(Errc errc) const noexcept { return cause == make_error_code(errc); }
};

// An error of our own kind. `operation` is the whole sentence where there is no deeper cause.
Error make_error(Errc errc, std::string operation, std::string object = {}, std::string hint = {});
// An error the operating system reported; `error_number` is an errno value.
Error system_error(int error_number, std::string operation, std::string object = {}, std::string hint = {});

}  // namespace divisi

template <>
struct std::is_error_code_enum<divisi::Errc> : std::true_type {};
