// The C++ library's way to files: fstream and filesystem.
#include <stdlib.h>
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <string>
#include <vector>

#include "check.h"

namespace fs = std::filesystem;

int main() {
    char name[] = "cpp-XXXXXX";
    CHECK(mkdtemp(name) != nullptr);
    const fs::path folder = fs::absolute(name);
    fs::create_directories(folder / "a" / "b" / "c");
    for (int i = 0; i < 5; ++i) {
        std::ofstream out(folder / "a" / ("file" + std::to_string(i)));
        for (int line = 0; line < 1000; ++line) out << line << ' ' << line * 0.5 << '\n';
    }
    std::vector<std::string> names;
    for (const auto& entry : fs::recursive_directory_iterator(folder)) names.push_back(entry.path().filename());
    std::sort(names.begin(), names.end());
    for (const auto& each : names) std::cout << each << '\n';

    std::ifstream in(folder / "a" / "file3");
    long sum = 0;
    double other = 0;
    for (long first = 0; in >> first;) {
        double second = 0;
        in >> second;
        sum += first;
        other += second;
    }
    std::cout << sum << ' ' << other << ' ' << fs::file_size(folder / "a" / "file3") << '\n';
    fs::copy_file(folder / "a" / "file3", folder / "copy");
    std::ifstream copied(folder / "copy");
    const std::string text((std::istreambuf_iterator<char>(copied)), std::istreambuf_iterator<char>());
    CHECK(text.size() == fs::file_size(folder / "a" / "file3"));
    fs::rename(folder / "copy", folder / "moved");
    CHECK(!fs::exists(folder / "copy") && fs::exists(folder / "moved"));
    std::error_code error;
    CHECK(!fs::remove(folder / "copy", error) && !error);
    try {
        fs::create_directory(folder / "no" / "such");
        CHECK(false);
    } catch (const fs::filesystem_error& refused) {
        CHECK(refused.code() == std::errc::no_such_file_or_directory);
    }
    std::cout << fs::remove_all(folder) << " removed\n";
    std::ifstream absent(folder / "absent");
    CHECK(!absent.is_open());
    return check_end();
}
