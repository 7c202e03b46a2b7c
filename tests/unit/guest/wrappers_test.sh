#!/bin/sh
# The compiler wrappers: wrappers_test.sh BIN, the folder they are in.
set -eu

bin=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
failures=0

# claim SENTENCE COMMAND...: the command succeeds.
claim() {
    sentence=$1
    shift
    if "$@" >out 2>&1; then
        echo "ok: $sentence"
    else
        echo "FAILED: $sentence"
        cat out
        failures=$((failures + 1))
    fi
}
fails() { if "$@"; then return 1; fi; }
# The command succeeds, and what it writes matches.
shows() {
    pattern=$1
    shift
    "$@" >shown && grep -q -- "$pattern" shown
}
# The command fails, and what it says matches.
refuses() {
    pattern=$1
    shift
    if "$@" 2>said; then return 1; fi
    grep -q -- "$pattern" said
}
in_turn() { for command in "$@"; do sh -c "$command" || return 1; done; }

cat >rank.c <<'END'
#include <divisi.h>
#include <stdio.h>
int main(void) { return printf("rank %d of %d\n", divisi_rank(), divisi_size()) < 0; }
END
cat >wait.cpp <<'END'
#include <condition_variable>
#include <divisi.h>
#include <stdexcept>
#include <thread>
int main() {
    std::mutex mutex;
    std::condition_variable changed;
    bool ready = false;
    std::thread thread([&] {
        const std::lock_guard lock(mutex);
        ready = true;
        changed.notify_one();
    });
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return ready; });
    lock.unlock();
    thread.join();
    try { throw std::runtime_error("x"); } catch (const std::exception&) { return divisi_rank(); }
}
END
cat >sum.f90 <<'END'
program sum_up
  integer :: i, s
  s = 0
  !$omp parallel do reduction(+:s)
  do i = 1, 100
    s = s + i
  end do
  print *, s
end program
END

claim "divisi-cc makes a program" "$bin/divisi-cc" -O2 rank.c -o rank
claim "that is static" fails ldd rank
claim "that runs alone" shows 'rank 0 of 1' ./rank
claim "that says it speaks libdivisi" shows divisi readelf -n rank
claim "compiling and linking can be two calls" \
    in_turn "'$bin/divisi-cc' -c rank.c -o rank.o" "'$bin/divisi-cc' rank.o -o rank2" ./rank2
claim "-pie makes a static PIE" in_turn "'$bin/divisi-cc' -pie rank.c -o pie" "readelf -h pie | grep -q DYN" ./pie
claim "-show prints the command" shows '^gcc -static .*rank.c .*libdivisi.a$' "$bin/divisi-cc" -show rank.c
claim "-show quotes" shows "'a b.c'" "$bin/divisi-cc" -show 'a b.c'
claim "-show runs nothing" "$bin/divisi-cc" -show missing.c
claim "-c links nothing" fails shows libdivisi.a "$bin/divisi-cc" -show -c rank.c
claim "--version is the compiler's" shows '^gcc' "$bin/divisi-cc" --version
claim "-shared is refused, with the way out" refuses 'use ar' "$bin/divisi-cc" -shared rank.c
claim "DIVISI_CC is honoured" shows '^-static' env DIVISI_CC=echo "$bin/divisi-cc" rank.c
claim "a missing compiler is named" refuses 'no-such is not installed' env DIVISI_CC=no-such "$bin/divisi-cc" rank.c
ln -s "$bin/divisi-cc" mycc
claim "a link to a wrapper works" ./mycc -c rank.c
claim "divisi-c++ makes threads that wait" in_turn "'$bin/divisi-c++' -std=c++20 wait.cpp -o wait" ./wait
claim "--musl is for C" refuses 'only C' "$bin/divisi-c++" --musl wait.cpp
if command -v musl-gcc >/dev/null 2>&1; then
    claim "--musl links with musl" in_turn "'$bin/divisi-cc' --musl rank.c -o musl" ./musl
fi
if command -v gfortran >/dev/null 2>&1; then
    claim "divisi-fc makes OpenMP programs that end well" \
        in_turn "'$bin/divisi-fc' -fopenmp sum.f90 -o sum" "./sum | grep -q 5050"
    claim "divisi-fc makes programs without OpenMP" in_turn "'$bin/divisi-fc' sum.f90 -o sum" ./sum
fi
[ "$failures" -eq 0 ]
