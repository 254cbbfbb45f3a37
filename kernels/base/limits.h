/* limits.h - every size that comes from outside meets a named cap here, with its reason.
 *
 * Hitting a cap is ST_ERR_LIMIT, never a shorter answer.
 */
#ifndef ST_BASE_LIMITS_H
#define ST_BASE_LIMITS_H

#include <stddef.h>
#include <stdint.h>

/* A JSON or JSONL file is held in memory whole. The largest real one, a 590,667-line question set,
 * has 277 MB; eight times that still fits a small machine. */
#define ST_TEXT_FILE_BYTES_MAX ((size_t)2 << 30)

/* One line of a row file. Real rows have 1 to 4 KB; packed groups of rows stay under 1 MB. */
#define ST_LINE_BYTES_MAX ((size_t)16 << 20)

/* Points or vertices of one scan: 50 million, ten times the densest ScanNet mesh (data.md E-40). */
#define ST_POINTS_MAX ((size_t)50000000)

/* Coordinates beyond 100 km are not an indoor scan; below it, squares stay exact enough. */
#define ST_COORDINATE_M_MAX 1.0e5

/* Triangles of one scan: a closed mesh has twice as many as it has vertices. */
#define ST_TRIANGLES_MAX (2 * ST_POINTS_MAX)

/* A mesh file: fifty million vertices of 18 bytes and their faces of 13, with room to spare. */
#define ST_MESH_FILE_BYTES_MAX ((size_t)8 << 30)

/* Bytes of one label or scene name. The longest real one has 45. */
#define ST_NAME_BYTES_MAX ((size_t)200)

/* Worker threads of one run: more than any machine this program has met. */
#define ST_JOBS_MAX 1024

/* The JSON header of a safetensors file. The format's own reader stops at 100 MB; a 2B model has
 * 70 kB. */
#define ST_SAFETENSORS_HEADER_BYTES_MAX ((size_t)100000000)

/* config.json, ttt_config.json and their like. Real ones have 2 to 40 kB. */
#define ST_CONFIG_BYTES_MAX ((size_t)4 << 20)

/* Pixels along one side of a picture or frame. Four times an 8K video; the pixels of one such
 * square still fit 63 bits many times over. */
#define ST_IMAGE_SIDE_MAX 32768

/* Tokens of a vocabulary. Sixty times the largest released one of this family. */
#define ST_VOCAB_MAX (1 << 23)

/* tokenizer.json, vocab.json, merges.txt. The family's own has 11 MB. */
#define ST_TOKENIZER_BYTES_MAX ((size_t)256 << 20)

/* Rows of one session packet, or tokens of one grid: a still image of 16,777,216 pixels, the most a
 * released preprocessor makes, has 16,384 tokens; four of them. */
#define ST_SESSION_ROWS_MAX ((int64_t)65536)

/* Tokens an anchor layer can keep: 16 million, 64 times the range the released models know. */
#define ST_SESSION_TOKENS_MAX ((int64_t)1 << 24)

/* Members of one zip archive. ScanNet's largest zips of masks hold some 10,000 frames, dataset
 * shards a few thousand rows. */
#define ST_ARCHIVE_MEMBERS_MAX 1000000

#endif
