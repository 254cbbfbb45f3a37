/* safetensors.c - reading: headers are checked to the last byte, numbers are views. */
#include "model/safetensors.h"

#include "kernels/base/json.h"
#include "kernels/base/limits.h"
#include "model/safetensors_internal.h"

#include <stdlib.h>
#include <string.h>

/* The numbers are used as they lie in the file. */
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "safetensors files are little endian");

enum { LENGTH_BYTES = 8 };

static const struct {
    const char *name;
    st_dtype    dtype;
} types[] = {
    {"F32", ST_F32}, {"BF16", ST_BF16}, {"F16", ST_F16}, {"F64", ST_F64},
    {"I64", ST_I64}, {"I32", ST_I32},   {"U8", ST_U8},   {"BOOL", ST_U8},
};

/* Where a tensor lies among the numbers of its file. */
typedef struct span {
    uint64_t    begin, end;
    const char *name;
} span;

static st_status read_type(st_dtype *dtype, const st_json *entry)
{
    st_str word;
    ST_TRY(st_json_text(st_json_member(entry, "dtype"), &word));
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        if (st_str_is(word, types[i].name)) {
            *dtype = types[i].dtype;
            return st_ok();
        }
    }
    return st_json_fail(st_json_member(entry, "dtype"), ST_ERR_UNSUPPORTED,
                        "elements of type %.*s are not supported", ST_STR_ARG(word));
}

/* dtype and shape, and how many bytes they need. */
static st_status read_shape(st_tensor *tensor, uint64_t *bytes, const st_json *entry)
{
    ST_TRY(st_json_expect(*entry, ST_JSON_OBJECT));
    ST_TRY(read_type(&tensor->dtype, entry));

    const st_json shape = st_json_member(entry, "shape");
    ST_TRY(st_json_expect(shape, ST_JSON_ARRAY));
    const size_t rank = st_json_count(shape);
    if (rank > ST_RANK_MAX)
        return st_json_fail(shape, ST_ERR_LIMIT, "%zu axes, at most %d are supported", rank,
                            ST_RANK_MAX);
    tensor->rank = (int)rank;

    size_t size = st_dtype_size(tensor->dtype);
    for (size_t k = 0; k < rank; k++) {
        const st_json extent = st_json_element(&shape, k);
        ST_TRY(st_json_int(extent, &tensor->shape[k]));
        if (tensor->shape[k] < 0)
            return st_json_fail(extent, ST_ERR_FORMAT, "an extent of %lld",
                                (long long)tensor->shape[k]);
        ST_TRY(st_size_mul(&size, size, (size_t)tensor->shape[k]));
    }
    *bytes = size;
    return st_ok();
}

static st_status read_span(span *where, const st_json *entry, uint64_t expected_bytes,
                           uint64_t data_bytes)
{
    const st_json offsets = st_json_member(entry, "data_offsets");
    ST_TRY(st_json_expect(offsets, ST_JSON_ARRAY));
    if (st_json_count(offsets) != 2)
        return st_json_fail(offsets, ST_ERR_FORMAT, "expected 2 numbers, found %zu",
                            st_json_count(offsets));
    int64_t begin, end;
    ST_TRY(st_json_int(st_json_element(&offsets, 0), &begin));
    ST_TRY(st_json_int(st_json_element(&offsets, 1), &end));
    if (begin < 0 || end < begin)
        return st_json_fail(offsets, ST_ERR_FORMAT, "[%lld,%lld] is no range", (long long)begin,
                            (long long)end);
    if ((uint64_t)end > data_bytes)
        return st_json_fail(offsets, ST_ERR_FORMAT,
                            "ends at byte %lld, the file has %llu bytes of numbers",
                            (long long)end, (unsigned long long)data_bytes);
    if ((uint64_t)(end - begin) != expected_bytes)
        return st_json_fail(offsets, ST_ERR_FORMAT, "type and shape need %llu bytes, found %lld",
                            (unsigned long long)expected_bytes, (long long)(end - begin));
    where->begin = (uint64_t)begin;
    where->end = (uint64_t)end;
    return st_ok();
}

/* A view of the bytes at `where`. A file may put numbers at any byte; those that would not be
 * aligned are copied, because reading them in place is undefined. */
static st_status place(st_safetensors *reader, st_tensor *tensor, const span *where,
                       const unsigned char *data)
{
    const unsigned char *bytes = data + where->begin;
    if ((uintptr_t)bytes % st_dtype_size(tensor->dtype) != 0) {
        unsigned char *copy;
        ST_TRY(ST_ALLOC(&reader->arena, &copy, (size_t)(where->end - where->begin)));
        memcpy(copy, bytes, (size_t)(where->end - where->begin));
        bytes = copy;
    }
    tensor->data = (void *)(uintptr_t)bytes;
    tensor->place = ST_PLACE_HOST;
    return st_ok();
}

static int span_compare(const void *a, const void *b)
{
    const span *x = a, *y = b;
    if (x->begin != y->begin)
        return x->begin < y->begin ? -1 : 1;
    return x->end < y->end ? -1 : x->end > y->end;
}

/* The spans cover the numbers exactly: no byte twice, none left over. */
static st_status check_cover(span *spans, size_t count, uint64_t data_bytes)
{
    qsort(spans, count, sizeof *spans, span_compare);
    uint64_t at = 0;
    for (size_t i = 0; i < count; i++) {
        if (spans[i].begin < at)
            return ST_FAIL(ST_ERR_FORMAT, "%s and %s overlap", spans[i - 1].name, spans[i].name);
        if (spans[i].begin > at)
            return ST_FAIL(ST_ERR_FORMAT, "%llu bytes in front of %s belong to no tensor",
                           (unsigned long long)(spans[i].begin - at), spans[i].name);
        at = spans[i].end;
    }
    if (at != data_bytes)
        return ST_FAIL(ST_ERR_FORMAT, "%llu bytes behind the last tensor belong to none",
                       (unsigned long long)(data_bytes - at));
    return st_ok();
}

static st_status read_metadata(st_safetensors *reader, const st_json *metadata)
{
    ST_TRY(st_json_expect(*metadata, ST_JSON_OBJECT));
    st_json member;
    st_json_walk walk = st_json_walk_start(metadata);
    while (st_json_walk_next(&walk, metadata, &member)) {
        st_str text;
        ST_TRY(st_json_text(member, &text));
        ST_TRY(ST_GROW(&reader->arena, &reader->metadata, &reader->metadata_capacity,
                       reader->metadata_count + 1));
        st_metadata_pair *pair = &reader->metadata[reader->metadata_count];
        ST_TRY(st_arena_copy_text(&reader->arena, &pair->key, member.key, strlen(member.key)));
        ST_TRY(st_arena_copy_text(&reader->arena, &pair->text, text.data, text.size));
        reader->metadata_count++;
    }
    return st_ok();
}

static st_status read_entries(st_safetensors *reader, const st_json *root,
                              const unsigned char *data, uint64_t data_bytes)
{
    ST_TRY(st_json_expect(*root, ST_JSON_OBJECT));
    span *spans;
    ST_TRY(ST_ALLOC(&reader->arena, &spans, st_json_count(*root)));

    size_t span_count = 0;
    st_json entry;
    st_json_walk walk = st_json_walk_start(root);
    while (st_json_walk_next(&walk, root, &entry)) {
        if (strcmp(entry.key, "__metadata__") == 0) {
            ST_TRY(read_metadata(reader, &entry));
            continue;
        }
        ST_TRY(ST_GROW(&reader->arena, &reader->tensors, &reader->capacity, reader->count + 1));
        st_named_tensor *named = &reader->tensors[reader->count];
        ST_TRY(st_arena_copy_text(&reader->arena, &named->name, entry.key, strlen(entry.key)));
        uint64_t bytes;
        span *where = &spans[span_count];
        ST_TRY(read_shape(&named->tensor, &bytes, &entry));
        ST_TRY(read_span(where, &entry, bytes, data_bytes));
        ST_TRY(place(reader, &named->tensor, where, data));
        where->name = named->name;
        span_count++;
        reader->count++;
    }
    return check_cover(spans, span_count, data_bytes);
}

static st_status read_map(st_safetensors *reader, const st_map *map)
{
    if (map->size < LENGTH_BYTES)
        return ST_FAIL(ST_ERR_FORMAT, "expected at least %d bytes, found %zu", LENGTH_BYTES,
                       map->size);
    uint64_t header_bytes;
    memcpy(&header_bytes, map->data, LENGTH_BYTES);
    if (header_bytes > ST_SAFETENSORS_HEADER_BYTES_MAX)
        return ST_FAIL(ST_ERR_LIMIT, "a header of %llu bytes, at most %zu are read",
                       (unsigned long long)header_bytes, ST_SAFETENSORS_HEADER_BYTES_MAX);
    if (header_bytes > map->size - LENGTH_BYTES)
        return ST_FAIL(ST_ERR_FORMAT, "the header has %llu bytes, the file only %zu behind its "
                                      "length",
                       (unsigned long long)header_bytes, map->size - LENGTH_BYTES);

    st_json_doc *doc;
    const st_str header = {(const char *)map->data + LENGTH_BYTES, (size_t)header_bytes};
    ST_TRY(st_within(st_json_parse(&doc, header), "header"));
    const st_json root = st_json_root(doc);
    const size_t data_at = LENGTH_BYTES + (size_t)header_bytes;
    const st_status s = read_entries(reader, &root, map->data + data_at, map->size - data_at);
    st_json_free(doc);
    return s;
}

st_status sti_safetensors_add_file(st_safetensors *reader, const char *path)
{
    ST_TRY(ST_GROW(&reader->arena, &reader->files, &reader->file_capacity,
                   reader->file_count + 1));
    sti_safetensors_file *file = &reader->files[reader->file_count];
    ST_TRY(st_map_open_lazy(&file->map, path));
    reader->file_count++;                   /* from here on, closing the reader unmaps it */
    ST_TRY(st_arena_copy_text(&reader->arena, &file->path, path, strlen(path)));
    return st_within(read_map(reader, &file->map), "%s", path);
}

static int name_compare(const void *a, const void *b)
{
    const st_named_tensor *x = a, *y = b;
    return strcmp(x->name, y->name);
}

st_status sti_safetensors_sort(st_safetensors *reader)
{
    if (reader->count > 1)
        qsort(reader->tensors, reader->count, sizeof *reader->tensors, name_compare);
    for (size_t i = 1; i < reader->count; i++) {
        if (strcmp(reader->tensors[i - 1].name, reader->tensors[i].name) == 0)
            return ST_FAIL(ST_ERR_DATA, "%s: %s lies in two shards", reader->path,
                           reader->tensors[i].name);
    }
    return st_ok();
}

void st_safetensors_close(st_safetensors *reader)
{
    if (!reader)
        return;
    for (size_t i = 0; i < reader->file_count; i++)
        st_map_close(&reader->files[i].map);
    st_arena_free(&reader->arena);
    free(reader);
}

size_t st_safetensors_count(const st_safetensors *reader)
{
    return reader->count;
}

const st_named_tensor *st_safetensors_at(const st_safetensors *reader, size_t i)
{
    ST_ASSERT(i < reader->count);
    return &reader->tensors[i];
}

const st_tensor *st_safetensors_find(const st_safetensors *reader, const char *name)
{
    if (reader->count == 0)
        return NULL;
    const st_named_tensor  key = {.name = name};
    const st_named_tensor *found =
        bsearch(&key, reader->tensors, reader->count, sizeof key, name_compare);
    return found ? &found->tensor : NULL;
}

st_status st_safetensors_get(const st_safetensors *reader, st_tensor *view, const char *name,
                             st_dtype dtype, int rank, const int64_t *shape)
{
    const st_tensor *found = st_safetensors_find(reader, name);
    if (!found)
        return ST_FAIL(ST_ERR_DATA, "%s: no tensor %s", reader->path, name);
    ST_TRY(st_within(st_tensor_expect(found, name, dtype, rank, shape), "%s", reader->path));
    *view = *found;
    return st_ok();
}

const char *st_safetensors_metadata(const st_safetensors *reader, const char *key)
{
    for (size_t i = 0; i < reader->metadata_count; i++) {
        if (strcmp(reader->metadata[i].key, key) == 0)
            return reader->metadata[i].text;
    }
    return NULL;
}

size_t st_safetensors_note_count(const st_safetensors *reader)
{
    return reader->note_count;
}

const char *st_safetensors_note(const st_safetensors *reader, size_t i)
{
    ST_ASSERT(i < reader->note_count);
    return reader->notes[i];
}

size_t st_safetensors_file_count(const st_safetensors *reader)
{
    return reader->file_count;
}

const char *st_safetensors_file(const st_safetensors *reader, size_t i, uint64_t *bytes)
{
    ST_ASSERT(i < reader->file_count);
    *bytes = reader->files[i].map.size;
    return reader->files[i].path;
}
