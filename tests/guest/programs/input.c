// Standard input is read to its end, by read and by stdio.
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int main(void) {
    char first[16] = {0};
    size_t have = 0;
    while (have < 10) {
        ssize_t count = read(STDIN_FILENO, first + have, 10 - have);
        if (count <= 0) break;
        have += (size_t)count;
    }
    printf("%zu bytes first: '%.4s…'\n", have, first);
    char line[128];
    unsigned long lines = 0, sum = 0;
    while (fgets(line, sizeof line, stdin)) {
        ++lines;
        for (const char* at = line; *at; ++at) sum = sum * 31 + (unsigned char)*at;
    }
    printf("%lu lines, sum %lu, at end %d\n", lines, sum, feof(stdin) != 0);
    return 0;
}
