/* manifest.h - what an output folder says about itself, and how finished work is recognised.
 *
 * manifest.json holds what decides the bytes beside it: version, seed, settings, input digests,
 * and the digests of the outputs. No path, clock or host is in it: the same inputs and seed give
 * the same bytes. It is written last, so a folder with a manifest whose outputs have the digests
 * it names is finished. run.json holds what differs between runs; no digest covers it.
 *
 * May include: status.h, arena.h, text.h, json.h, files.h, digest.h.
 */
#ifndef ST_BASE_MANIFEST_H
#define ST_BASE_MANIFEST_H

#include "kernels/base/arena.h"
#include "kernels/base/digest.h"
#include "kernels/base/json.h"
#include "kernels/base/status.h"
#include "kernels/base/text.h"

/* A file by its name in the folder (outputs) or its last path part (inputs). */
typedef struct st_manifest_file {
    const char *name;
    uint64_t    bytes;
    int64_t     lines;          /* -1: not a file of lines */
    st_digest   digest;
} st_manifest_file;

typedef struct st_manifest_section {
    const char *key;
    st_str      json;           /* one JSON value */
} st_manifest_section;

typedef struct st_manifest {
    st_arena            *arena;
    const char          *version, *command;     /* of the program; "qa" */
    uint64_t             seed;
    st_str               settings;              /* a JSON object with sorted keys */
    st_manifest_file    *inputs, *outputs;
    size_t               input_count, input_capacity, output_count, output_capacity;
    st_manifest_section *sections;
    size_t               section_count, section_capacity;
} st_manifest;

/* An empty manifest. The texts are borrowed; what is added is copied into the arena. */
void st_manifest_init(st_manifest *m, st_arena *arena, const char *version, const char *command,
                      uint64_t seed);

/* Everything but seed and inputs that decides the bytes: a JSON object, its keys sorted. */
ST_CHECKED st_status st_manifest_set_settings(st_manifest *m, const st_text *json);

/* Digest an input file and add it. Fails   ST_ERR_IO. */
ST_CHECKED st_status st_manifest_add_input(st_manifest *m, const char *path);

/* Add an input that is known already, such as a scan: the digest of its files' digests. */
ST_CHECKED st_status st_manifest_add_known_input(st_manifest *m, const char *name, uint64_t bytes,
                                                 const st_digest *digest);

/* Write `bytes` to folder/name, atomically, and add it to the outputs.
 *
 *   lines     how many lines it has, -1 when it has none
 *
 * Fails   ST_ERR_IO; the file that stood there before stands still.
 */
ST_CHECKED st_status st_manifest_write_output(st_manifest *m, const char *folder, const char *name,
                                              st_str bytes, int64_t lines);

/* Add a file that is already written below the folder, with the digest of its bytes.
 *
 * Fails   ST_ERR_IO.
 */
ST_CHECKED st_status st_manifest_add_output(st_manifest *m, const char *folder, const char *name);

/* Add a section: `json` is one JSON value, the keys of its objects sorted. Top-level keys are
 * sorted when the manifest is written. */
ST_CHECKED st_status st_manifest_add_section(st_manifest *m, const char *key, const st_text *json);

/* The digest of the work: version, command, seed, settings and inputs, whatever their order. */
st_digest st_manifest_work(const st_manifest *m);

/* Write folder/manifest.json. */
ST_CHECKED st_status st_manifest_write(const st_manifest *m, const char *folder);

/* Whether `folder` already holds the finished result of this work: a manifest with the same work
 * digest, whose outputs are all there with the bytes it names. Then *found is its document, to be
 * freed by the caller; otherwise NULL. A broken or foreign manifest is no failure, only not ours.
 *
 * Fails   ST_ERR_MEMORY.
 */
ST_CHECKED st_status st_manifest_find_finished(st_json_doc **found, const st_manifest *m,
                                               const char *folder);

/* The command whose manifest lies in the folder: "qa"; NULL where there is none that says so.
 *
 * Fails   ST_ERR_MEMORY.
 */
ST_CHECKED st_status st_manifest_command(const char **command, st_arena *arena,
                                         const char *folder);

/* What run.json tells. */
typedef struct st_run_stage {
    const char *name;           /* "read" */
    double      seconds;
} st_run_stage;

typedef struct st_run {
    const char         *version, *commit, *command_line;
    const char *const  *inputs;         /* paths as they were typed */
    size_t              input_count;
    int64_t             start_unix_s;   /* seconds since 1970 */
    int                 jobs;
    const st_run_stage *stages;
    int                 stage_count;
} st_run;

/* Write folder/run.json; the host's name is asked here. */
ST_CHECKED st_status st_run_write(const st_run *run, const char *folder);

#endif
