// An exception that nobody catches ends the program by SIGABRT, with what was printed before it.
#include <iostream>
#include <stdexcept>

int main() {
    std::cout << "before" << std::endl;
    throw std::runtime_error("uncaught");
}
