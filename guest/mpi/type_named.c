/* Predefined types found by what they can hold (match_size, the f90 types, value and index), and calls that MPI 3 took
 * away and programs still make. */
#include <stdlib.h>

#include "type_make.h"

static MPI_Datatype matching(int typeclass, int size) {
    static const struct {
        int typeclass;
        int size;
        MPI_Datatype handle;
    } table[] = {
        {MPI_TYPECLASS_INTEGER, 1, MPI_INTEGER1},   {MPI_TYPECLASS_INTEGER, 2, MPI_INTEGER2},
        {MPI_TYPECLASS_INTEGER, 4, MPI_INTEGER4},   {MPI_TYPECLASS_INTEGER, 8, MPI_INTEGER8},
        {MPI_TYPECLASS_INTEGER, 16, MPI_INTEGER16}, {MPI_TYPECLASS_REAL, 2, MPI_REAL2},
        {MPI_TYPECLASS_REAL, 4, MPI_REAL4},         {MPI_TYPECLASS_REAL, 8, MPI_REAL8},
        {MPI_TYPECLASS_REAL, 16, MPI_REAL16},       {MPI_TYPECLASS_COMPLEX, 4, MPI_COMPLEX4},
        {MPI_TYPECLASS_COMPLEX, 8, MPI_COMPLEX8},   {MPI_TYPECLASS_COMPLEX, 16, MPI_COMPLEX16},
        {MPI_TYPECLASS_COMPLEX, 32, MPI_COMPLEX32},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; ++i)
        if (table[i].typeclass == typeclass && table[i].size == size) return table[i].handle;
    return MPI_DATATYPE_NULL;
}

int PMPI_Type_match_size(int typeclass, int size, MPI_Datatype* datatype) {
    const MPI_Datatype found = matching(typeclass, size);
    if (found == MPI_DATATYPE_NULL)
        return dvm_error(NULL, MPI_ERR_ARG, DVM_CALL, "no predefined type of class %d has %d bytes", typeclass, size);
    *datatype = found;
    return MPI_SUCCESS;
}
DVM_ALIAS(Type_match_size);

int PMPI_Type_get_value_index(MPI_Datatype value_type, MPI_Datatype index_type, MPI_Datatype* pair_type) {
    static const MPI_Datatype pairs[][3] = {
        {MPI_FLOAT, MPI_INT, MPI_FLOAT_INT},      {MPI_DOUBLE, MPI_INT, MPI_DOUBLE_INT},
        {MPI_LONG, MPI_INT, MPI_LONG_INT},        {MPI_INT, MPI_INT, MPI_2INT},
        {MPI_SHORT, MPI_INT, MPI_SHORT_INT},      {MPI_LONG_DOUBLE, MPI_INT, MPI_LONG_DOUBLE_INT},
        {MPI_REAL, MPI_REAL, MPI_2REAL},          {MPI_DOUBLE_PRECISION, MPI_DOUBLE_PRECISION, MPI_2DOUBLE_PRECISION},
        {MPI_INTEGER, MPI_INTEGER, MPI_2INTEGER},
    };
    *pair_type = MPI_DATATYPE_NULL;
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; ++i)
        if (pairs[i][0] == value_type && pairs[i][1] == index_type) *pair_type = pairs[i][2];
    return MPI_SUCCESS;
}
DVM_ALIAS(Type_get_value_index);

/* ---- types by precision and range ---- */

/* Types that were asked for: the same question gets the same type, which nobody can free. */
struct asked {
    struct asked* next;
    int combiner;
    int precision;
    int range;
    struct dvm_type type;
};

static struct asked* all_asked;

static int remember(int combiner, int precision, int range, MPI_Datatype basic, MPI_Datatype* made) {
    struct asked* asked = all_asked;
    while (asked != NULL && (asked->combiner != combiner || asked->precision != precision || asked->range != range))
        asked = asked->next;
    if (asked == NULL) {
        asked = malloc(sizeof *asked);
        int64_t* const values = malloc(2 * sizeof *values);
        if (asked == NULL || values == NULL) {
            free(asked);
            free(values);
            return dvm_fail(MPI_ERR_NO_MEM, "not enough memory for a datatype");
        }
        *asked = (struct asked){all_asked, combiner, precision, range, *dvm_predefined(basic)};
        all_asked = asked;
        values[0] = combiner == MPI_COMBINER_F90_INTEGER ? range : precision;
        values[1] = range;
        asked->type.object.number = 0;
        asked->type.handle = (MPI_Datatype)(void*)&asked->type;
        asked->type.name = "";
        asked->type.given_name = NULL;
        asked->type.attributes = NULL;
        asked->type.envelope.combiner = combiner;
        asked->type.envelope.integers = (struct dvm_numbers){combiner == MPI_COMBINER_F90_INTEGER ? 1 : 2, values};
    }
    *made = asked->type.handle;
    return MPI_SUCCESS;
}

int PMPI_Type_create_f90_integer(int r, MPI_Datatype* newtype) {
    static const struct {
        int digits;
        MPI_Datatype handle;
    } table[] = {{2, MPI_INTEGER1}, {4, MPI_INTEGER2}, {9, MPI_INTEGER4}, {18, MPI_INTEGER8}, {38, MPI_INTEGER16}};
    for (size_t i = 0; i < sizeof table / sizeof *table; ++i)
        if (r <= table[i].digits)
            return dvm_type_done(remember(MPI_COMBINER_F90_INTEGER, 0, r, table[i].handle, newtype), DVM_CALL);
    return dvm_error(NULL, MPI_ERR_ARG, DVM_CALL, "no integer has %d digits", r);
}
DVM_ALIAS(Type_create_f90_integer);

/* Source: what gfortran's selected_real_kind says of the kinds 4, 8 and 16. */
static int real_or_complex(int combiner, int p, int r, MPI_Datatype* made) {
    static const struct {
        int digits;
        int exponent;
        MPI_Datatype real;
        MPI_Datatype complex;
    } table[] = {
        {6, 37, MPI_REAL4, MPI_COMPLEX8}, {15, 307, MPI_REAL8, MPI_COMPLEX16}, {33, 4931, MPI_REAL16, MPI_COMPLEX32}};
    for (size_t i = 0; i < sizeof table / sizeof *table; ++i)
        if ((p == MPI_UNDEFINED || p <= table[i].digits) && (r == MPI_UNDEFINED || r <= table[i].exponent))
            return remember(combiner, p, r, combiner == MPI_COMBINER_F90_REAL ? table[i].real : table[i].complex, made);
    return dvm_fail(MPI_ERR_ARG, "no real has %d digits and the decimal exponent %d", p, r);
}

int PMPI_Type_create_f90_real(int p, int r, MPI_Datatype* newtype) {
    return dvm_type_done(real_or_complex(MPI_COMBINER_F90_REAL, p, r, newtype), DVM_CALL);
}
DVM_ALIAS(Type_create_f90_real);

int PMPI_Type_create_f90_complex(int p, int r, MPI_Datatype* newtype) {
    return dvm_type_done(real_or_complex(MPI_COMBINER_F90_COMPLEX, p, r, newtype), DVM_CALL);
}
DVM_ALIAS(Type_create_f90_complex);

/* ---- of MPI 1 ---- */

int PMPI_Address(void* location, MPI_Aint* address) {
    return PMPI_Get_address(location, address);
}
DVM_ALIAS(Address);
