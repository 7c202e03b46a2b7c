/* For programs whose compiler was told nothing of -static, but whose linker was (wrapper.sh, link_options): their
 * start-up code is that of a dynamic program, which lacks this. glibc calls it to move a position-independent static
 * program; these are none, and stay where they are. Taken out of the archive only when asked for by name. */
/* NOLINTNEXTLINE(bugprone-reserved-identifier, readability-identifier-naming): glibc's name, csu/libc-start.c. */
void _dl_relocate_static_pie(void);

/* NOLINTNEXTLINE(bugprone-reserved-identifier, readability-identifier-naming) */
void _dl_relocate_static_pie(void) {}
