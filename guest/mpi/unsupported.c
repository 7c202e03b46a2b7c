/* What is not there yet: one-sided communication, files, processes made at run time, the tool information interface.
 * Each function is there, so that programs link, and says so when it is called. */
#define DVM_OUTSIDE
#include "internal.h"

/* SAFETY: a function that looks at none of its arguments may be called with any, by the calling convention; so one body
 * serves all prototypes. */
#pragma GCC diagnostic ignored "-Wattribute-alias"

/* Errors of files go to a handler of their own, which by default returns. */
static int answer_file(const char* call) {
    return dvm_fail(MPI_ERR_UNSUPPORTED_OPERATION,
                    "%s: files of MPI are not there in divisi; use those of the language", call);
}

static int answer_tool(const char* call) {
    (void)call;
    return MPI_T_ERR_NOT_SUPPORTED;
}

static int answer(const char* call) {
    dvm_check_running(call);
    return dvm_unsupported(NULL, call);
}

#define ABSENT(name, how)                                                               \
    static int absent_##name(void) {                                                    \
        return how("MPI_" #name);                                                       \
    }                                                                                   \
    extern __typeof__(PMPI_##name) PMPI_##name __attribute__((alias("absent_" #name))); \
    extern __typeof__(PMPI_##name) MPI_##name __attribute__((weak, alias("absent_" #name)))

ABSENT(Accumulate, answer);
ABSENT(Accumulate_c, answer);
ABSENT(Close_port, answer);
ABSENT(Comm_accept, answer);
ABSENT(Comm_connect, answer);
ABSENT(Comm_join, answer);
ABSENT(Comm_spawn, answer);
ABSENT(Comm_spawn_multiple, answer);
ABSENT(Compare_and_swap, answer);
ABSENT(Fetch_and_op, answer);
ABSENT(Get, answer);
ABSENT(Get_accumulate, answer);
ABSENT(Get_accumulate_c, answer);
ABSENT(Get_c, answer);
ABSENT(Lookup_name, answer);
ABSENT(Open_port, answer);
ABSENT(Publish_name, answer);
ABSENT(Put, answer);
ABSENT(Put_c, answer);
ABSENT(Raccumulate, answer);
ABSENT(Raccumulate_c, answer);
ABSENT(Rget, answer);
ABSENT(Rget_accumulate, answer);
ABSENT(Rget_accumulate_c, answer);
ABSENT(Rget_c, answer);
ABSENT(Rput, answer);
ABSENT(Rput_c, answer);
ABSENT(Unpublish_name, answer);
ABSENT(Win_allocate, answer);
ABSENT(Win_allocate_c, answer);
ABSENT(Win_allocate_shared, answer);
ABSENT(Win_allocate_shared_c, answer);
ABSENT(Win_attach, answer);
ABSENT(Win_call_errhandler, answer);
ABSENT(Win_complete, answer);
ABSENT(Win_create, answer);
ABSENT(Win_create_c, answer);
ABSENT(Win_create_dynamic, answer);
ABSENT(Win_delete_attr, answer);
ABSENT(Win_detach, answer);
ABSENT(Win_fence, answer);
ABSENT(Win_flush, answer);
ABSENT(Win_flush_all, answer);
ABSENT(Win_flush_local, answer);
ABSENT(Win_flush_local_all, answer);
ABSENT(Win_free, answer);
ABSENT(Win_get_attr, answer);
ABSENT(Win_get_errhandler, answer);
ABSENT(Win_get_group, answer);
ABSENT(Win_get_info, answer);
ABSENT(Win_get_name, answer);
ABSENT(Win_lock, answer);
ABSENT(Win_lock_all, answer);
ABSENT(Win_post, answer);
ABSENT(Win_set_attr, answer);
ABSENT(Win_set_errhandler, answer);
ABSENT(Win_set_info, answer);
ABSENT(Win_set_name, answer);
ABSENT(Win_shared_query, answer);
ABSENT(Win_shared_query_c, answer);
ABSENT(Win_start, answer);
ABSENT(Win_sync, answer);
ABSENT(Win_test, answer);
ABSENT(Win_unlock, answer);
ABSENT(Win_unlock_all, answer);
ABSENT(Win_wait, answer);

ABSENT(File_call_errhandler, answer_file);
ABSENT(File_close, answer_file);
ABSENT(File_delete, answer_file);
ABSENT(File_get_amode, answer_file);
ABSENT(File_get_atomicity, answer_file);
ABSENT(File_get_byte_offset, answer_file);
ABSENT(File_get_errhandler, answer_file);
ABSENT(File_get_group, answer_file);
ABSENT(File_get_info, answer_file);
ABSENT(File_get_position, answer_file);
ABSENT(File_get_position_shared, answer_file);
ABSENT(File_get_size, answer_file);
ABSENT(File_get_type_extent, answer_file);
ABSENT(File_get_type_extent_c, answer_file);
ABSENT(File_get_view, answer_file);
ABSENT(File_iread, answer_file);
ABSENT(File_iread_all, answer_file);
ABSENT(File_iread_all_c, answer_file);
ABSENT(File_iread_at, answer_file);
ABSENT(File_iread_at_all, answer_file);
ABSENT(File_iread_at_all_c, answer_file);
ABSENT(File_iread_at_c, answer_file);
ABSENT(File_iread_c, answer_file);
ABSENT(File_iread_shared, answer_file);
ABSENT(File_iread_shared_c, answer_file);
ABSENT(File_iwrite, answer_file);
ABSENT(File_iwrite_all, answer_file);
ABSENT(File_iwrite_all_c, answer_file);
ABSENT(File_iwrite_at, answer_file);
ABSENT(File_iwrite_at_all, answer_file);
ABSENT(File_iwrite_at_all_c, answer_file);
ABSENT(File_iwrite_at_c, answer_file);
ABSENT(File_iwrite_c, answer_file);
ABSENT(File_iwrite_shared, answer_file);
ABSENT(File_iwrite_shared_c, answer_file);
ABSENT(File_open, answer_file);
ABSENT(File_preallocate, answer_file);
ABSENT(File_read, answer_file);
ABSENT(File_read_all, answer_file);
ABSENT(File_read_all_begin, answer_file);
ABSENT(File_read_all_begin_c, answer_file);
ABSENT(File_read_all_c, answer_file);
ABSENT(File_read_all_end, answer_file);
ABSENT(File_read_at, answer_file);
ABSENT(File_read_at_all, answer_file);
ABSENT(File_read_at_all_begin, answer_file);
ABSENT(File_read_at_all_begin_c, answer_file);
ABSENT(File_read_at_all_c, answer_file);
ABSENT(File_read_at_all_end, answer_file);
ABSENT(File_read_at_c, answer_file);
ABSENT(File_read_c, answer_file);
ABSENT(File_read_ordered, answer_file);
ABSENT(File_read_ordered_begin, answer_file);
ABSENT(File_read_ordered_begin_c, answer_file);
ABSENT(File_read_ordered_c, answer_file);
ABSENT(File_read_ordered_end, answer_file);
ABSENT(File_read_shared, answer_file);
ABSENT(File_read_shared_c, answer_file);
ABSENT(File_seek, answer_file);
ABSENT(File_seek_shared, answer_file);
ABSENT(File_set_atomicity, answer_file);
ABSENT(File_set_errhandler, answer_file);
ABSENT(File_set_info, answer_file);
ABSENT(File_set_size, answer_file);
ABSENT(File_set_view, answer_file);
ABSENT(File_sync, answer_file);
ABSENT(File_write, answer_file);
ABSENT(File_write_all, answer_file);
ABSENT(File_write_all_begin, answer_file);
ABSENT(File_write_all_begin_c, answer_file);
ABSENT(File_write_all_c, answer_file);
ABSENT(File_write_all_end, answer_file);
ABSENT(File_write_at, answer_file);
ABSENT(File_write_at_all, answer_file);
ABSENT(File_write_at_all_begin, answer_file);
ABSENT(File_write_at_all_begin_c, answer_file);
ABSENT(File_write_at_all_c, answer_file);
ABSENT(File_write_at_all_end, answer_file);
ABSENT(File_write_at_c, answer_file);
ABSENT(File_write_c, answer_file);
ABSENT(File_write_ordered, answer_file);
ABSENT(File_write_ordered_begin, answer_file);
ABSENT(File_write_ordered_begin_c, answer_file);
ABSENT(File_write_ordered_c, answer_file);
ABSENT(File_write_ordered_end, answer_file);
ABSENT(File_write_shared, answer_file);
ABSENT(File_write_shared_c, answer_file);
ABSENT(Register_datarep, answer_file);
ABSENT(Register_datarep_c, answer_file);

ABSENT(T_category_changed, answer_tool);
ABSENT(T_category_get_categories, answer_tool);
ABSENT(T_category_get_cvars, answer_tool);
ABSENT(T_category_get_events, answer_tool);
ABSENT(T_category_get_index, answer_tool);
ABSENT(T_category_get_info, answer_tool);
ABSENT(T_category_get_num, answer_tool);
ABSENT(T_category_get_num_events, answer_tool);
ABSENT(T_category_get_pvars, answer_tool);
ABSENT(T_cvar_get_index, answer_tool);
ABSENT(T_cvar_get_info, answer_tool);
ABSENT(T_cvar_get_num, answer_tool);
ABSENT(T_cvar_handle_alloc, answer_tool);
ABSENT(T_cvar_handle_free, answer_tool);
ABSENT(T_cvar_read, answer_tool);
ABSENT(T_cvar_write, answer_tool);
ABSENT(T_enum_get_info, answer_tool);
ABSENT(T_enum_get_item, answer_tool);
ABSENT(T_event_callback_get_info, answer_tool);
ABSENT(T_event_callback_set_info, answer_tool);
ABSENT(T_event_copy, answer_tool);
ABSENT(T_event_get_index, answer_tool);
ABSENT(T_event_get_info, answer_tool);
ABSENT(T_event_get_num, answer_tool);
ABSENT(T_event_get_source, answer_tool);
ABSENT(T_event_get_timestamp, answer_tool);
ABSENT(T_event_handle_alloc, answer_tool);
ABSENT(T_event_handle_free, answer_tool);
ABSENT(T_event_handle_get_info, answer_tool);
ABSENT(T_event_handle_set_info, answer_tool);
ABSENT(T_event_read, answer_tool);
ABSENT(T_event_register_callback, answer_tool);
ABSENT(T_event_set_dropped_handler, answer_tool);
ABSENT(T_finalize, answer_tool);
ABSENT(T_init_thread, answer_tool);
ABSENT(T_pvar_get_index, answer_tool);
ABSENT(T_pvar_get_info, answer_tool);
ABSENT(T_pvar_get_num, answer_tool);
ABSENT(T_pvar_handle_alloc, answer_tool);
ABSENT(T_pvar_handle_free, answer_tool);
ABSENT(T_pvar_read, answer_tool);
ABSENT(T_pvar_readreset, answer_tool);
ABSENT(T_pvar_reset, answer_tool);
ABSENT(T_pvar_session_create, answer_tool);
ABSENT(T_pvar_session_free, answer_tool);
ABSENT(T_pvar_start, answer_tool);
ABSENT(T_pvar_stop, answer_tool);
ABSENT(T_pvar_write, answer_tool);
ABSENT(T_source_get_info, answer_tool);
ABSENT(T_source_get_num, answer_tool);
ABSENT(T_source_get_timestamp, answer_tool);
