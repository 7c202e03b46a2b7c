// `Result<T>`: a value or an `Error`. Every fallible function that crosses a module border returns one.
#pragma once

#include <tl/expected.hpp>
#include <utility>

#include "base/error.hpp"

namespace divisi {

template <typename T>
class [[nodiscard]] Result : public tl::expected<T, Error> {
public:
    using tl::expected<T, Error>::expected;
    Result() = default;
    // NOLINTNEXTLINE(google-explicit-constructor): `return make_error(...)` is the whole point.
    Result(Error error) : tl::expected<T, Error>(tl::unexpected<Error>(std::move(error))) {}
};

}  // namespace divisi

#define DIVISI_CONCAT_INNER(a, b) a##b
#define DIVISI_CONCAT(a, b) DIVISI_CONCAT_INNER(a, b)

// Evaluates a `Result<void>` (or any Result whose value is not wanted) and returns its error from the caller.
#define DIVISI_TRY(expression)                                               \
    do {                                                                     \
        auto divisi_try_result = (expression);                               \
        if (!divisi_try_result) return std::move(divisi_try_result).error(); \
    } while (false)

// NOLINTBEGIN(bugprone-macro-parentheses): a declaration cannot stand in parentheses.
// `DIVISI_TRY_ASSIGN(auto fd, open(...))`: binds the value, or returns the error from the caller.
#define DIVISI_TRY_ASSIGN(declaration, expression)                                                                   \
    auto DIVISI_CONCAT(divisi_result_, __LINE__) = (expression);                                                     \
    if (!DIVISI_CONCAT(divisi_result_, __LINE__)) return std::move(DIVISI_CONCAT(divisi_result_, __LINE__)).error(); \
    declaration = std::move(*DIVISI_CONCAT(divisi_result_, __LINE__))
// NOLINTEND(bugprone-macro-parentheses)
