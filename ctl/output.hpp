// What verbs print on standard output: a table for people, JSON for programs.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "base/json.hpp"
#include "base/result.hpp"

namespace divisi::ctl {

enum class Format { kTable, kJson };

// Adds `-o, --output table|json`. `format` must live until the command line has been parsed.
void add_output_option(CLI::App& verb, Format& format);

// Columns as wide as their widest cell, two spaces between them, no frame: easy for eyes, and for awk.
class Table {
public:
    explicit Table(std::vector<std::string> header) : rows_{std::move(header)} {}
    // Missing cells are empty; cells beyond the header's are dropped.
    void row(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }
    [[nodiscard]] std::string text() const;

private:
    std::vector<std::vector<std::string>> rows_;
};

// JSON for programs that people look at, too: two spaces of indent, objects and arrays of plain values on one line.
std::string pretty(const json::value& value);

// Writes to standard output. Errors: errno (a full disk, a closed pipe); output that is lost is never a success.
Result<void> print(std::string_view text);
Result<void> print_json(const json::value& value);

}  // namespace divisi::ctl
