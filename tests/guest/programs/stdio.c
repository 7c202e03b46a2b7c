// Buffered streams in all their uses.
#define _GNU_SOURCE
#include <stdlib.h>
#include <unistd.h>

#include "check.h"

int main(void) {
    char name[] = "stdio-XXXXXX";
    const int fd = mkstemp(name);
    FILE* file = fdopen(fd, "w+");
    CHECK(file != NULL);
    for (int i = 0; i < 5000; ++i) fprintf(file, "%05d:%x\n", i, i * i);
    CHECK(fseek(file, 8000, SEEK_SET) == 0 && ftell(file) == 8000);
    int number = 0;
    unsigned square = 0;
    char line[64];
    CHECK(fgets(line, sizeof line, file) != NULL);
    CHECK(fscanf(file, "%d:%x", &number, &square) == 2 && square == (unsigned)(number * number));
    printf("%d %u\n", number, square);
    rewind(file);
    size_t total = 0;
    for (size_t count; (count = fread(line, 1, sizeof line, file)) > 0;) total += count;
    printf("%zu bytes\n", total);
    CHECK(feof(file) && !ferror(file));
    CHECK(ungetc('u', file) == 'u' && getc(file) == 'u');
    CHECK(fclose(file) == 0);

    file = fopen(name, "a");
    CHECK(setvbuf(file, NULL, _IONBF, 0) == 0 && fputs("appended", file) >= 0);
    fclose(file);
    file = fopen(name, "r");
    CHECK(fseek(file, -8, SEEK_END) == 0 && fgets(line, sizeof line, file) && strcmp(line, "appended") == 0);
    CHECK(getc(file) == EOF);
    fclose(file);
    CHECK(fopen(name, "rx+") != NULL || errno != ENOENT);
    CHECK(fopen("no/such/file", "r") == NULL && errno == ENOENT);

    char* text = NULL;
    size_t size = 0;
    FILE* memory = open_memstream(&text, &size);
    fprintf(memory, "%s %d", "in memory", 7);
    fclose(memory);
    CHECK(size == 11 && strcmp(text, "in memory 7") == 0);
    free(text);
    CHECK(unlink(name) == 0);
    CHECK(remove(name) == -1 && errno == ENOENT);
    puts("unflushed at the end");
    return check_end();
}
