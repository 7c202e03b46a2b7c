// Arguments, environment and auxiliary vector arrive as execve(2) lays them out.
#include <elf.h>
#include <link.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <unistd.h>

#include "check.h"

extern char** environ;

int main(int argc, char** argv) {
    for (int i = 1; i < argc; ++i) printf("argument %d: '%s'\n", i, argv[i]);
    CHECK(argv[argc] == NULL);
    CHECK(environ == argv + argc + 1);
    const char* value = getenv("GUEST_TEST");
    printf("GUEST_TEST=%s\n", value ? value : "(absent)");
    CHECK(getenv("EMPTY") != NULL && *getenv("EMPTY") == '\0');
    CHECK(getenv("ABSENT") == NULL);

    CHECK(getauxval(AT_PAGESZ) == 4096);
    CHECK(sysconf(_SC_PAGESIZE) == 4096);
    CHECK(getauxval(AT_RANDOM) != 0);
    const ElfW(Phdr)* headers = (const ElfW(Phdr)*)getauxval(AT_PHDR);
    CHECK(headers != NULL);
    CHECK(getauxval(AT_PHENT) == sizeof(ElfW(Phdr)));
    CHECK(getauxval(AT_PHNUM) >= 3 && getauxval(AT_PHNUM) < 64);
    int loads = 0;
    for (unsigned long i = 0; i < getauxval(AT_PHNUM); ++i) loads += headers[i].p_type == PT_LOAD;
    CHECK(loads >= 1);
    extern void _start(void);
    CHECK(getauxval(AT_ENTRY) == (uintptr_t)&_start);
    CHECK(getauxval(AT_SECURE) == 0);
    const char* file = (const char*)getauxval(AT_EXECFN);
    CHECK(file != NULL && strstr(file, "arguments") != NULL);
    // The ABI wants the stack aligned to 16 bytes at the entry: argc lies there.
    CHECK(((uintptr_t)(argv - 1) & 15) == 0);
    return check_end();
}
