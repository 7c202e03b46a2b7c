"""Makes the header of entries: what stands between a program's call of MPI_Send and the library's own PMPI_Send.

    entries.py HEADERS… > entries.h

Where the program asked for MPI_THREAD_MULTIPLE, a call takes the lock of the library (lock.h) first. So within the library
PMPI_name means the body, which is called with the lock held; the function of that name, and its weak twin MPI_name, is made
by DVM_ENTRY_name behind the body (DVM_ALIAS)."""

import re
import sys

PROTOTYPE = re.compile(r"^(\w+) MPI_(\w+)\(([^;]*)\);", re.MULTILINE | re.DOTALL)
PARAMETER = re.compile(r"(\w+)((?:\[\d*\])*)$")
# Called before there is a lock or by whoever must not wait for it; or with any number of arguments.
FREE = "Abort Finalized Init Init_thread Initialized Is_thread_main Pcontrol Query_thread Wtick Wtime Aint_add Aint_diff".split()


def arguments(parameters):
    text = " ".join(parameters.split())
    if text == "void":
        return []
    return [PARAMETER.search(parameter.strip()).group(1) for parameter in text.split(",")]


def entry(result, name, parameters):
    call = f"PMPI_{name}({', '.join(arguments(parameters))})"
    return (f"#define PMPI_{name} IMPI_{name}\n"
            f"extern __typeof__(MPI_{name}) IMPI_{name} __attribute__((visibility(\"hidden\")));\n"
            f"#define DVM_ENTRY_{name} \\\n"
            f"    {result} dvm_entry_{name}({' '.join(parameters.split())}) __asm__(\"PMPI_{name}\"); \\\n"
            f"    {result} dvm_entry_{name}({' '.join(parameters.split())}) {{ \\\n"
            f"        if (__builtin_expect(!dvm.locks, 1)) return {call}; \\\n"
            f"        dvm_lock(); \\\n"
            f"        {result} dvm_result = {call}; \\\n"
            f"        dvm_unlock(); \\\n"
            f"        return dvm_result; \\\n"
            f"    }} \\\n"
            f"    extern __typeof__(MPI_{name}) MPI_{name} __attribute__((weak, alias(\"PMPI_{name}\")))\n")


def free(name):
    return (f"#define DVM_ENTRY_{name} \\\n"
            f"    extern __typeof__(MPI_{name}) MPI_{name} __attribute__((weak, alias(\"PMPI_{name}\")))\n")


def main():
    print("/* Made from mpi.h by entries.py, when divisi is configured. */")
    for path in sys.argv[1:]:
        with open(path, encoding="utf-8") as file:
            for result, name, parameters in PROTOTYPE.findall(file.read()):
                print(free(name) if name in FREE else entry(result, name, parameters))


main()
