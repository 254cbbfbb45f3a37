/* safetensors.h - named tensors in files: read as views of a map, written as a stream.
 *
 * A safetensors file is eight bytes of header length (little endian), a JSON header
 * {name: {dtype, shape, data_offsets:[b,e]}}, then the numbers. A checkpoint is one such file, or
 * several shards with an index that says which name lies in which shard. Opening reads headers
 * only; the numbers stay on disk until somebody touches them.
 *
 * May include: kernels/base.
 */
#ifndef ST_MODEL_SAFETENSORS_H
#define ST_MODEL_SAFETENSORS_H

#include "kernels/base/files.h"
#include "kernels/base/status.h"
#include "kernels/base/tensor.h"
#include "kernels/base/text.h"

typedef struct st_named_tensor {
    const char *name;
    st_tensor   tensor;
} st_named_tensor;

typedef struct st_safetensors st_safetensors;

/* Open `path`: a .safetensors file, or a folder that holds a checkpoint.
 *
 * In a folder, model.safetensors.index.json decides which files are read. When it names a shard
 * that is not there it is stale: then model.safetensors is read, or else the model-*.safetensors
 * that are there, and a note says so. Without an index the same two are tried. Which name lies in
 * which shard is taken from the shards themselves.
 *
 * Fails   ST_ERR_IO no such file, or no checkpoint in the folder; ST_ERR_FORMAT a header that is
 *         cut, lies about its length, overlaps, leaves holes, or points beyond the file;
 *         ST_ERR_LIMIT a header above ST_SAFETENSORS_HEADER_BYTES_MAX; ST_ERR_UNSUPPORTED an
 *         element type this program does not compute with; ST_ERR_DATA a name in two shards.
 * Source  model.md section 11; the format's own description (huggingface/safetensors).
 */
ST_CHECKED st_status st_safetensors_open(st_safetensors **reader, const char *path);
void st_safetensors_close(st_safetensors *reader);

/* Tensors in the order of their names (by bytes). Views live as long as the reader and must not be
 * written to: most lie in a read-only map. */
size_t                 st_safetensors_count(const st_safetensors *reader);
const st_named_tensor *st_safetensors_at(const st_safetensors *reader, size_t i);

/* The tensor of that name, or NULL. */
const st_tensor *st_safetensors_find(const st_safetensors *reader, const char *name);

/* The tensor of that name with this type, rank and shape; a negative extent fits any.
 *
 * Fails   ST_ERR_DATA "FILE: no tensor NAME" or "FILE: NAME must be f32 (2,4), is f32 (2,3)".
 */
ST_CHECKED st_status st_safetensors_get(const st_safetensors *reader, st_tensor *view,
                                        const char *name, st_dtype dtype, int rank,
                                        const int64_t *shape);

/* A text of `__metadata__` (of the first file that has the key), or NULL. */
const char *st_safetensors_metadata(const st_safetensors *reader, const char *key);

/* What was odd and worked around, a sentence each. */
size_t      st_safetensors_note_count(const st_safetensors *reader);
const char *st_safetensors_note(const st_safetensors *reader, size_t i);

/* Files that are open, with their sizes: what a loader reports and a digest covers. */
size_t      st_safetensors_file_count(const st_safetensors *reader);
const char *st_safetensors_file(const st_safetensors *reader, size_t i, uint64_t *bytes);

/* One key and its text for `__metadata__`. */
typedef struct st_metadata_pair {
    const char *key, *text;
} st_metadata_pair;

/* A file on its way: the header is written by open, the numbers follow in the order of the
 * tensors, in pieces of any size. Nothing stands under the final name before the commit. */
typedef struct st_safetensors_writer {
    st_out   out;
    uint64_t expected_bytes, written_bytes;     /* of numbers, the header aside */
} st_safetensors_writer;

st_safetensors_writer st_safetensors_writer_none(void);

/* Only name, shape, rank and dtype of `tensors` are read. The same tensors in the same order give
 * the same bytes. {"format":"pt"} is what other readers want to find in the metadata.
 *
 * Fails   ST_ERR_USAGE a name twice; ST_ERR_IO.
 */
ST_CHECKED st_status st_safetensors_writer_open(st_safetensors_writer *writer, const char *path,
                                                const st_named_tensor *tensors, size_t count,
                                                const st_metadata_pair *metadata,
                                                size_t metadata_count);
ST_CHECKED st_status st_safetensors_write(st_safetensors_writer *writer, const void *bytes,
                                          size_t size);

/* Fails   ST_ERR_USAGE not all numbers were written; ST_ERR_IO. The file is then discarded. */
ST_CHECKED st_status st_safetensors_commit(st_safetensors_writer *writer);
void st_safetensors_discard(st_safetensors_writer *writer);

/* Write host tensors to a file in one go. */
ST_CHECKED st_status st_safetensors_save(const char *path, const st_named_tensor *tensors,
                                         size_t count, const st_metadata_pair *metadata,
                                         size_t metadata_count);

#endif
