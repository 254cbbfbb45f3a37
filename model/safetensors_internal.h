/* safetensors_internal.h - what a reader holds; shared by safetensors.c (one file) and
 * safetensors_folder.c (which files). */
#ifndef ST_MODEL_SAFETENSORS_INTERNAL_H
#define ST_MODEL_SAFETENSORS_INTERNAL_H

#include "model/safetensors.h"

typedef struct sti_safetensors_file {
    st_map      map;
    const char *path;
} sti_safetensors_file;

struct st_safetensors {
    st_arena              arena;
    const char           *path;             /* as it was given to open */
    sti_safetensors_file *files;
    size_t                file_count, file_capacity;
    st_named_tensor      *tensors;          /* sorted by name once all files are in */
    size_t                count, capacity;
    st_metadata_pair     *metadata;
    size_t                metadata_count, metadata_capacity;
    const char          **notes;
    size_t                note_count, note_capacity;
};

/* Map one file and add its tensors. */
ST_CHECKED st_status sti_safetensors_add_file(st_safetensors *reader, const char *path);

/* Sort by name. Fails on a name that came from two files. */
ST_CHECKED st_status sti_safetensors_sort(st_safetensors *reader);

#endif
