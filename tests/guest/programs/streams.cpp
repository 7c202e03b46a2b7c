// iostream, formatting, containers, algorithms, regular expressions, random numbers.
#include <algorithm>
#include <charconv>
#include <chrono>
#include <iomanip>
#include <iostream>
#include <map>
#include <random>
#include <regex>
#include <sstream>
#include <string>
#include <unordered_map>
#include <vector>

int main() {
    std::ios::sync_with_stdio(false);
    std::string line;
    std::size_t lines = 0;
    std::map<std::string, int> words;
    while (std::getline(std::cin, line)) {
        ++lines;
        std::istringstream in(line);
        for (std::string word; in >> word;) ++words[word];
    }
    std::cout << lines << " lines, " << words.size() << " words, " << words["the"] << " times 'the'\n";
    std::cout << std::hex << std::showbase << 255 << std::dec << ' ' << std::setw(8) << std::setfill('*') << 42 << ' '
              << std::fixed << std::setprecision(4) << 3.14159265 << ' ' << std::boolalpha << true << '\n';
    std::mt19937_64 random(12345);
    std::vector<unsigned long> numbers(100000);
    std::generate(numbers.begin(), numbers.end(), random);
    std::sort(numbers.begin(), numbers.end());
    std::cout << numbers.front() << ' ' << numbers[50000] << ' ' << numbers.back() << '\n';
    std::unordered_map<unsigned long, int> seen;
    for (const unsigned long number : numbers) ++seen[number % 1009];
    std::cout << seen.size() << '\n';
    const std::regex pattern(R"((\w+)=(\d+))");
    const std::string text = "a=1, bc=22; def=333";
    for (std::sregex_iterator at(text.begin(), text.end(), pattern), end; at != end; ++at)
        std::cout << (*at)[1] << " is " << (*at)[2] << '\n';
    char buffer[32];
    const auto [end, status] = std::to_chars(buffer, buffer + sizeof buffer, 0.1 + 0.2);
    std::cout << std::string(buffer, end) << ' ' << (status == std::errc{}) << '\n';
    const auto before = std::chrono::steady_clock::now();
    std::cout << (std::chrono::steady_clock::now() >= before) << std::endl;
}
