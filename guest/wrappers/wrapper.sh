#!/bin/sh
# divisi-cc, divisi-c++, divisi-fc: compile and link a program that runs in divisi nodes (and natively).
#
#   divisi-cc [-show] [--musl] [OPTION of the compiler]... FILE...
#
# One file under three names: each is the system's compiler with three things added: where <divisi.h> is, -static, and
# libdivisi. Everything else goes through as it is. -show prints the command instead of running it. DIVISI_CC, DIVISI_CXX
# and DIVISI_FC in the environment name other compilers.
set -eu

self=$(readlink -f "$0")
name=$(basename "$self")

fail() {
    echo "$name: $1" >&2
    exit 1
}

refuse_dynamic() {
    fail "$1: a program in a node is one static image, no loader is there to load anything (drop $1; for a library use ar)"
}

case $name in
    divisi-cc)
        language=C variable=DIVISI_CC
        compiler=${DIVISI_CC:-gcc}
        ;;
    divisi-c++)
        language=C++ variable=DIVISI_CXX
        compiler=${DIVISI_CXX:-g++}
        ;;
    divisi-fc)
        language=Fortran variable=DIVISI_FC
        compiler=${DIVISI_FC:-gfortran}
        ;;
    *) fail "called by a name that says nothing about the language (divisi-cc, divisi-c++ or divisi-fc)" ;;
esac

# The same layout in the build folder and where it is installed: bin, include and lib side by side.
root=$(dirname "$(dirname "$self")")
include=$root/include
library=
for folder in "$root"/lib/divisi "$root"/lib "$root"/lib64 "$root"/lib/x86_64-linux-gnu; do
    if [ -z "$library" ] && [ -f "$folder/libdivisi.a" ]; then
        library=$folder/libdivisi.a
    fi
done
[ -n "$library" ] || fail "libdivisi.a is not below $root/lib (build it: cmake --build BUILD --target divisi_guest)"
[ -f "$include/divisi.h" ] || fail "divisi.h is not in $include"

show=no        # print, do not run
links=yes      # this call makes a program
inputs=no      # there is something to compile or link
threads=no
static=-static
value_of=      # the option whose value the next argument is

count=$#
while [ "$count" -gt 0 ]; do
    argument=$1
    shift
    count=$((count - 1))
    if [ -n "$value_of" ]; then
        value_of=
        set -- "$@" "$argument"
        continue
    fi
    case $argument in
        -show | --show)
            show=yes
            continue
            ;;
        --musl)
            [ "$language" = C ] || fail "--musl: only C programs can be linked with musl here (Debian's musl has no C++ and no Fortran library)"
            compiler=${DIVISI_MUSL_CC:-musl-gcc}
            continue
            ;;
        -static)
            continue
            ;;
        -static-pie | -pie)
            static=-static-pie
            continue
            ;;
        # CMake says so for every program; where nothing is loaded, nothing is exported.
        -rdynamic)
            continue
            ;;
        -shared | -dynamic | -dynamiclib | -shared-libgcc | -Wl,-Bdynamic | -Wl,-shared)
            refuse_dynamic "$argument"
            ;;
        -c | -S | -E | -M | -MM | -fsyntax-only)
            links=no
            ;;
        -fopenmp | -fopenmp=* | -pthread | -ftree-parallelize-loops=*)
            threads=yes
            ;;
        -o | -I | -L | -D | -U | -x | -T | -u | -z | -include | -imacros | -isystem | -iquote | -idirafter | -isysroot | \
            -MF | -MT | -MQ | -J | -Xlinker | -Xassembler | -Xpreprocessor | -aux-info | --param)
            value_of=$argument
            ;;
        - | [!-]*)
            inputs=yes
            ;;
        *) ;;
    esac
    set -- "$@" "$argument"
done

# Paths with spaces stay whole; the compiler may be several words ("ccache gcc").
quoted() {
    for word in "$@"; do
        case $word in
            *[!A-Za-z0-9_./=:,+@%-]* | '') printf "'%s' " "$(printf '%s' "$word" | sed "s/'/'\\\\''/g")" ;;
            *) printf '%s ' "$word" ;;
        esac
    done
}

if [ "$inputs" = yes ] || [ "$show" = yes ]; then
    set -- "-I$include" "$@"
    if [ "$links" = yes ]; then
        set -- "$static" "$@"
        # libgfortran and libgcc_eh refer to these weakly: in a static program some would be left out, and then be called at
        # address 0 because others are there.
        if [ "$language" != C ] || [ "$threads" = yes ]; then
            for symbol in cond_init cond_wait cond_signal cond_broadcast cond_destroy create join once self \
                getspecific setspecific key_create key_delete \
                mutex_init mutex_lock mutex_trylock mutex_unlock mutex_destroy; do
                set -- "$@" "-Wl,-u,pthread_$symbol"
            done
        fi
        set -- "$@" "$library"
    fi
fi

if [ "$show" = yes ]; then
    printf '%s ' "$compiler"
    quoted "$@" | sed 's/ $//'
    echo
    exit 0
fi
# shellcheck disable=SC2086  # the compiler may be several words
command -v ${compiler%% *} >/dev/null 2>&1 || fail "the compiler $compiler is not installed (name another in \$$variable)"
# shellcheck disable=SC2086
exec $compiler "$@"
