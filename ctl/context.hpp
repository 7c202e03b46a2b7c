// What a verb and `main` share: the verb says what to do, `main` does it once the command line has been understood.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"

namespace divisi::ctl {

struct Context {
    // The exit code of the program, or the error it ends with. Set by the callback of the verb that was asked for.
    std::function<Result<int>()> action;
    // For verbs that pass a program's code through (`run`): the code of their own failures, 0 for each error's own.
    int own_failure_exit = 0;
    // What follows the first `--` of `run`: another program's command line, kept from the parser of ours.
    std::optional<std::vector<std::string>> command;
};

// Prints `divisi: <message>` on standard error, one line an error.
void report(const Error& error);
// For what is worth knowing and changes nothing: `divisi: note: <text>` on standard error.
void note(const std::string& text);

}  // namespace divisi::ctl
