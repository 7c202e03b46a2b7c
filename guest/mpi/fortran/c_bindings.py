"""Writes the C side of the Fortran bindings: for every function pmpi_name_, as gfortran calls it, and mpi_name_ as its weak
twin. Handles become integers, strings get their blanks, indices begin with 1; statuses, counts and buffers go through."""

from kinds import ROOM_OF, is_read_too, kind_of, length_of

HEAD = """/* Made by guest/mpi/fortran/generate.py from {source}. */
#include "guest/mpi/fortran/fortran.h"
"""


NO_MEMORY = "if ({0}_c == NULL) {{ dvf_return(ierror, MPI_ERR_NO_MEM); return; }}"


class Body:
    """One function in the making."""

    def __init__(self, function):
        self.function = function
        self.declared = []  # parameters as Fortran passes them
        self.lengths = []  # of strings, which gfortran appends
        self.before = []
        self.arguments = []
        self.after = []  # with `code` at hand
        self.cleanup = []

    def add(self, parameter):
        kind = kind_of(parameter)
        getattr(self, {"handle>": "add_handle_pointer", "handles": "add_handles", "string": "add_string",
                       "text": "add_text"}.get(kind, "add_plain"))(parameter, kind)

    def add_plain(self, parameter, kind):
        name, const = parameter.name, "const " if parameter.const else ""
        declared, argument = {
            "buffer": (f"{const}void* {name}", f"dvf_buffer({name})"),
            "address": (f"void* {name}", name),
            "status": (f"{const}MPI_Fint* {name}", f"dvf_status({name})"),
            "statuses": (f"MPI_Fint* {name}", f"dvf_statuses({name})"),
            "weights": (f"{const}MPI_Fint* {name}", f"dvf_weights({name})"),
            "handle": (f"const MPI_Fint* {name}", f"dvm_from_int(*{name})"),
            "logical": (f"const MPI_Fint* {name}", f"*{name} != 0"),
            "int": (f"const MPI_Fint* {name}", f"*{name}"),
            "wide": (f"const {parameter.type}* {name}", f"*{name}"),
        }.get(kind, (f"{const}{parameter.type}* {name}", name))
        if parameter.array == "[][3]":
            argument = f"(int(*)[3]){name}"
        self.declared.append(declared)
        self.arguments.append(argument)
        if kind == "logical>":
            self.after.append(f"if (code == MPI_SUCCESS) *{name} = *{name} != 0;")
        if name == "indx" and kind == "int>":
            self.after.append("if (code == MPI_SUCCESS && *indx >= 0) ++*indx;")
        if name == "array_of_indices":
            self.after.append("for (int i = 0; i < *outcount; ++i) ++array_of_indices[i];")

    def add_handle_pointer(self, parameter, _kind):
        name, handle = parameter.name, parameter.type
        self.declared.append(f"MPI_Fint* {name}")
        self.arguments.append(f"&{name}_c")
        if is_read_too(self.function, parameter):
            self.before.append(f"{handle} {name}_c = dvm_from_int(*{name});")
            self.after.append(f"*{name} = dvm_to_int({name}_c);")
        else:
            self.before.append(f"{handle} {name}_c = NULL;")
            self.after.append(f"if (code == MPI_SUCCESS) *{name} = dvm_to_int({name}_c);")

    def add_handles(self, parameter, _kind):
        name = parameter.name
        written_only = name == "array_of_datatypes"
        count = length_of(self.function, parameter)
        self.declared.append(f"{'const ' if parameter.const else ''}MPI_Fint* {name}")
        self.arguments.append(f"{name}_c")
        self.before += [f"const int {name}_n = {count};", f"{parameter.type} {name}_room[DVF_ROOM];",
                        f"{parameter.type}* const {name}_c = dvf_room({name}_room, {name}_n, sizeof {name}_room[0]);",
                        NO_MEMORY.format(name)]
        if not written_only:
            self.before.append(f"for (int i = 0; i < {name}_n; ++i) {name}_c[i] = dvm_from_int({name}[i]);")
        if not parameter.const:
            when = f"code == MPI_SUCCESS && i < {name}_n" if written_only else f"i < {name}_n"
            if written_only:
                self.before.append(f"memset({name}_c, 0, (size_t){name}_n * sizeof {name}_c[0]);")
            self.after.append(f"for (int i = 0; {when}; ++i) {name}[i] = dvm_to_int({name}_c[i]);")
        self.cleanup.append(f"if ({name}_c != {name}_room) free({name}_c);")

    def add_string(self, parameter, _kind):
        name = parameter.name
        self.declared.append(f"const char* {name}")
        self.lengths.append(f"size_t {name}_n")
        self.before += [f"char* const {name}_c = dvf_string({name}, {name}_n);",
                        NO_MEMORY.format(name)]
        self.arguments.append(f"{name}_c")
        self.cleanup.append(f"free({name}_c);")

    def add_text(self, parameter, _kind):
        name = parameter.name
        self.declared.append(f"char* {name}")
        self.lengths.append(f"size_t {name}_n")
        self.before.append(f"char {name}_c[{ROOM_OF[name]} + 1];")
        self.before.append(f"{name}_c[0] = 0;")
        self.arguments.append(f"{name}_c")
        names = [item.name for item in self.function.parameters]
        found = " && *flag" if "flag" in names else ""
        self.after.append(f"if (code == MPI_SUCCESS{found}) dvf_pad({name}, {name}_n, {name}_c);")
        if "resultlen" in names:
            self.after.append(f"if (code == MPI_SUCCESS && *resultlen > (int){name}_n) *resultlen = (int){name}_n;")

    def text(self):
        for parameter in self.function.parameters:
            self.add(parameter)
        lower = self.function.short.lower()
        declared = ", ".join([*self.declared, "MPI_Fint* ierror", *self.lengths])
        lines = [f"void pmpi_{lower}_({declared});", f"DVF_ALIAS({lower})", f"void pmpi_{lower}_({declared}) {{"]
        lines += [f"    {line}" for line in self.before]
        lines.append(f"    const int code = P{self.function.name}({', '.join(self.arguments)});")
        lines += [f"    {line}" for line in [*self.after, *self.cleanup]]
        lines += ["    dvf_return(ierror, code);", "}"]
        return "\n".join(lines)


def c_source(source, functions):
    return "\n\n".join([HEAD.format(source=source), *(Body(function).text() for function in functions)]) + "\n"
