#!/bin/sh
# divisi-cc, divisi-c++, divisi-fc: compile and link a program that runs in divisi nodes (and natively).
# mpicc, mpicxx, mpic++, mpifort, mpif77, mpif90: the same for a program that uses MPI.
#
#   divisi-cc [-show] [--musl] [OPTION of the compiler]... FILE...
#
# One file under many names: each is the system's compiler with three things added: where the headers are, -static, and
# libdivisi (and MPI). Everything else goes through as it is. DIVISI_CC, DIVISI_CXX and DIVISI_FC in the environment, or
# -cc=, -cxx= and -fc=, name other compilers. What the wrappers of other MPIs are asked for is answered, too:
#
#   -show, --showme                the command, which is not run
#   -compile_info, -link_info      the command that compiles or links, without files
#   --showme:compile, :link        the options alone; also :incdirs, :libdirs, :libs, :command, :version
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
    divisi-cc | mpicc)
        language=C variable=DIVISI_CC
        compiler=${DIVISI_CC:-gcc}
        ;;
    divisi-c++ | mpicxx | mpic++)
        language=C++ variable=DIVISI_CXX
        compiler=${DIVISI_CXX:-g++}
        ;;
    divisi-fc | mpifort | mpif77 | mpif90)
        language=Fortran variable=DIVISI_FC
        compiler=${DIVISI_FC:-gfortran}
        ;;
    *) fail "called by a name that says nothing about the language (divisi-cc, divisi-c++ or divisi-fc)" ;;
esac
case $name in
    mpi*) mpi=yes ;;
    *) mpi=no ;;
esac

# The same layout in the build folder and where it is installed: bin, include and lib side by side, and the MPI wrappers in
# a folder of their own in bin/ or lib/divisi/mpi/.
root=$(dirname "$self")
while [ ! -f "$root/include/divisi.h" ]; do
    [ "$root" != / ] || fail "there is no include/divisi.h beside or above $(dirname "$self")"
    root=$(dirname "$root")
done
lib=
for folder in "$root"/lib/divisi "$root"/lib "$root"/lib64 "$root"/lib/x86_64-linux-gnu; do
    if [ -z "$lib" ] && [ -f "$folder/libdivisi.a" ]; then
        lib=$folder
    fi
done
[ -n "$lib" ] || fail "libdivisi.a is not below $root/lib (build it: cmake --build BUILD --target divisi_guest)"
include=$root/include
if [ "$mpi" = yes ]; then
    include=$root/include/mpi
    [ -f "$lib/libdivisi_mpi.a" ] ||
        fail "libdivisi_mpi.a is not in $lib (build it: cmake --build BUILD --target divisi_mpi)"
fi

# ---- what is added ----

# libgfortran and libgcc_eh refer to these weakly: in a static program some would be left out, and then be called at address
# 0 because others are there.
thread_options() {
    for symbol in cond_init cond_wait cond_signal cond_broadcast cond_destroy create join once self \
        getspecific setspecific key_create key_delete \
        mutex_init mutex_lock mutex_trylock mutex_unlock mutex_destroy; do
        printf '%s ' "-Wl,-u,pthread_$symbol"
    done
}

# The interfaces of mpif.h are implicit: it is no mistake to send an integer here and a real there.
language_options() {
    if [ "$mpi" = yes ] && [ "$language" = Fortran ]; then printf '%s ' -fallow-argument-mismatch; fi
}

# What a program has printed when it calls MPI_Abort is to be seen.
flush_option() {
    if [ "$mpi" = yes ] && [ "$language" = Fortran ]; then printf '%s ' -Wl,-u,_gfortran_flush_i4; fi
}

# A program that is linked with MPI says so, whether it calls any of it or not.
note_option() {
    if [ "$mpi" = yes ]; then printf '%s ' -Wl,-u,divisi_mpi_note; fi
}

libraries() {
    [ "$mpi" = no ] || echo "divisi_mpi_fortran divisi_mpi"
    echo divisi
}

# CMake's FindMPI takes nothing but -Wl from here, and links with the compiler that it knows. So these make a static program
# of one that the compiler means to be dynamic: no loader, no table for it, and the part of the start-up code that a static
# program brings along itself.
link_options() {
    printf '%s ' -static -Wl,-no-pie -Wl,-static -Wl,--no-dynamic-linker -Wl,--no-export-dynamic \
        -Wl,-u,_dl_relocate_static_pie
    thread_options
    note_option
    flush_option
    printf '%s ' "-L$lib" "-L$lib/static"
    # shellcheck disable=SC2046  # names without spaces
    printf '%s ' $(libraries | tr ' ' '\n' | sed 's/^/-l/')
}

# What --showme:PART asks for.
show_part() {
    case $1 in
        compile) echo "$(language_options)-I$include" ;;
        link) link_options && echo ;;
        incdirs) echo "$include" ;;
        libdirs) echo "$lib $lib/static" ;;
        libs) libraries | tr '\n' ' ' && echo ;;
        command) echo "$compiler" ;;
        version) echo "$name: divisi, MPI 5.0 ABI" ;;
        *) fail "--showme:$1 is none of compile, link, incdirs, libdirs, libs, command, version" ;;
    esac
    exit 0
}

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
        -show | --show | -showme | --showme)
            show=yes
            continue
            ;;
        -showme:* | --showme:*) show_part "${argument#*:}" ;;
        -compile_info | -compile-info)
            echo "$compiler $(language_options)-I$include -c"
            exit 0
            ;;
        -link_info | -link-info)
            echo "$compiler $(link_options)"
            exit 0
            ;;
        -cc=* | -cxx=* | -fc=* | -f77=* | -f90=*)
            compiler=${argument#*=}
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
    # shellcheck disable=SC2046  # options without spaces
    set -- $(language_options) "-I$include" "$@"
    if [ "$links" = yes ]; then
        set -- "$static" "$@"
        if [ "$language" != C ] || [ "$threads" = yes ]; then
            # shellcheck disable=SC2046
            set -- "$@" $(thread_options)
        fi
        # shellcheck disable=SC2046
        set -- "$@" $(note_option)
        for library in $(libraries); do
            [ ! -f "$lib/lib$library.a" ] || set -- "$@" "$lib/lib$library.a"
        done
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
