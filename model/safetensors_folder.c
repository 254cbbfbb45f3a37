/* safetensors_folder.c - which files make a checkpoint, and what to do with a stale index. */
#include "model/safetensors.h"

#include "kernels/base/json.h"
#include "model/safetensors_internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char single_name[] = "model.safetensors";
static const char index_name[] = "model.safetensors.index.json";

/* File names, each once, in the order they were first met. */
typedef struct name_list {
    const char **names;
    size_t       count, capacity;
} name_list;

static st_status list_add(st_arena *arena, name_list *list, st_str name)
{
    for (size_t i = 0; i < list->count; i++) {
        if (st_str_is(name, list->names[i]))
            return st_ok();
    }
    ST_TRY(ST_GROW(arena, &list->names, &list->capacity, list->count + 1));
    ST_TRY(st_arena_copy_text(arena, &list->names[list->count], name.data, name.size));
    list->count++;
    return st_ok();
}

ST_PRINTF(2, 3)
static st_status note(st_safetensors *reader, const char *fmt, ...)
{
    char line[ST_STATUS_TEXT_BYTES];
    va_list words;
    va_start(words, fmt);
    vsnprintf(line, sizeof line, fmt, words);
    va_end(words);
    ST_TRY(ST_GROW(&reader->arena, &reader->notes, &reader->note_capacity,
                   reader->note_count + 1));
    ST_TRY(st_arena_copy_text(&reader->arena, &reader->notes[reader->note_count], line,
                              strlen(line)));
    reader->note_count++;
    return st_ok();
}

/* The shards an index names. A shard is a plain file name: an index must not lead out of its
 * folder. */
static st_status index_shards(st_arena *arena, name_list *shards, const st_json *root)
{
    const st_json map = st_json_member(root, "weight_map");
    ST_TRY(st_json_expect(map, ST_JSON_OBJECT));
    st_json member;
    st_json_walk walk = st_json_walk_start(&map);
    while (st_json_walk_next(&walk, &map, &member)) {
        st_str file;
        ST_TRY(st_json_text(member, &file));
        if (file.size == 0 || memchr(file.data, '/', file.size))
            return st_json_fail(member, ST_ERR_FORMAT, "expected a file name, found \"%.*s\"",
                                ST_STR_ARG(file));
        ST_TRY(list_add(arena, shards, file));
    }
    return st_ok();
}

/* The shards of the index, or none when it is stale; that leaves a note. */
static st_status read_index(st_safetensors *reader, name_list *shards, const char *folder)
{
    const char *path;
    ST_TRY(st_path_join(&reader->arena, &path, folder, index_name));
    if (!st_file_exists(path))
        return st_ok();
    st_json_doc *doc;
    ST_TRY(st_json_load(&doc, path));
    const st_json   root = st_json_root(doc);
    const st_status s = index_shards(&reader->arena, shards, &root);
    st_json_free(doc);
    ST_TRY(st_within(s, "%s", path));

    size_t      absent = 0;
    const char *first = NULL;
    for (size_t i = 0; i < shards->count; i++) {
        const char *shard;
        ST_TRY(st_path_join(&reader->arena, &shard, folder, shards->names[i]));
        if (!st_file_exists(shard)) {
            first = first ? first : shards->names[i];
            absent++;
        }
    }
    if (absent > 0) {
        ST_TRY(note(reader, "%s is stale: %zu of its %zu shards are not there (%s)", index_name,
                    absent, shards->count, first));
        shards->count = 0;
    }
    return st_ok();
}

/* model.safetensors, or else every model-*.safetensors. */
static st_status find_files(st_arena *arena, name_list *files, const char *folder)
{
    const char *single;
    ST_TRY(st_path_join(arena, &single, folder, single_name));
    if (st_file_exists(single))
        return list_add(arena, files, st_str_from(single_name));

    const char **names;
    size_t       count;
    ST_TRY(st_folder_list(arena, &names, &count, folder));
    for (size_t i = 0; i < count; i++) {
        const char *ending = strrchr(names[i], '.');
        if (strncmp(names[i], "model-", 6) == 0 && ending && strcmp(ending, ".safetensors") == 0)
            ST_TRY(list_add(arena, files, st_str_from(names[i])));
    }
    if (files->count == 0)
        return ST_FAIL(ST_ERR_IO, "%s: neither %s nor model-*.safetensors is there", folder,
                       single_name);
    return st_ok();
}

static st_status open_folder(st_safetensors *reader, const char *folder)
{
    name_list files = {NULL, 0, 0};
    ST_TRY(read_index(reader, &files, folder));
    if (files.count == 0) {
        ST_TRY(find_files(&reader->arena, &files, folder));
        if (reader->note_count > 0)
            ST_TRY(note(reader, "read %s%s instead", files.names[0],
                        files.count > 1 ? " and the other shards that are there" : ""));
    }
    for (size_t i = 0; i < files.count; i++) {
        const char *path;
        ST_TRY(st_path_join(&reader->arena, &path, folder, files.names[i]));
        ST_TRY(sti_safetensors_add_file(reader, path));
    }
    return st_ok();
}

static st_status open_any(st_safetensors *reader, const char *path)
{
    ST_TRY(st_arena_copy_text(&reader->arena, &reader->path, path, strlen(path)));
    ST_TRY(st_folder_exists(path) ? open_folder(reader, path)
                                  : sti_safetensors_add_file(reader, path));
    return sti_safetensors_sort(reader);
}

st_status st_safetensors_open(st_safetensors **out, const char *path)
{
    st_safetensors *reader = calloc(1, sizeof *reader);
    if (!reader)
        return ST_FAIL(ST_ERR_MEMORY, "%s: no memory for a reader", path);
    st_arena_init(&reader->arena, "safetensors");
    const st_status s = open_any(reader, path);
    if (s.code != ST_OK) {
        st_safetensors_close(reader);
        return s;
    }
    *out = reader;
    return s;
}
