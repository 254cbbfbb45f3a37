/* manifest.c - manifest.json, run.json, and the question whether a folder is finished. */
#include "kernels/base/manifest.h"

#include "kernels/base/files.h"
#include "kernels/base/limits.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define SCHEMA "st-manifest/1"

static int file_order(const void *left, const void *right)
{
    const st_manifest_file *a = left, *b = right;
    const int by_name = strcmp(a->name, b->name);
    return by_name ? by_name : memcmp(a->digest.bytes, b->digest.bytes, sizeof a->digest.bytes);
}

static int section_order(const void *left, const void *right)
{
    const st_manifest_section *a = left, *b = right;
    return strcmp(a->key, b->key);
}

void st_manifest_init(st_manifest *m, st_arena *arena, const char *version, const char *command,
                      uint64_t seed)
{
    *m = (st_manifest){.arena = arena,
                       .version = version,
                       .command = command,
                       .seed = seed,
                       .settings = st_str_from("{}")};
}

static st_status copy_json(st_str *copy, st_arena *arena, const st_text *json)
{
    ST_TRY(st_text_check(json));
    const st_str view = st_text_view(json);
    ST_TRY(st_arena_copy_text(arena, &copy->data, view.data, view.size));
    copy->size = view.size;
    return st_ok();
}

st_status st_manifest_set_settings(st_manifest *m, const st_text *json)
{
    return copy_json(&m->settings, m->arena, json);
}

st_status st_manifest_add_section(st_manifest *m, const char *key, const st_text *json)
{
    ST_TRY(ST_GROW(m->arena, &m->sections, &m->section_capacity, m->section_count + 1));
    st_manifest_section *section = &m->sections[m->section_count];
    ST_TRY(st_arena_copy_text(m->arena, &section->key, key, strlen(key)));
    ST_TRY(copy_json(&section->json, m->arena, json));
    m->section_count++;
    return st_ok();
}

static st_status add_file(st_manifest *m, st_manifest_file **files, size_t *count,
                          size_t *capacity, st_str name, st_manifest_file file)
{
    ST_TRY(ST_GROW(m->arena, files, capacity, *count + 1));
    ST_TRY(st_arena_copy_text(m->arena, &file.name, name.data, name.size));
    (*files)[(*count)++] = file;
    qsort(*files, *count, sizeof **files, file_order);
    return st_ok();
}

st_status st_manifest_add_input(st_manifest *m, const char *path)
{
    st_manifest_file file = {.lines = -1};
    ST_TRY(st_file_size(path, &file.bytes));
    ST_TRY(st_digest_of_file(&file.digest, path));
    return add_file(m, &m->inputs, &m->input_count, &m->input_capacity, st_path_name(path), file);
}

st_status st_manifest_add_known_input(st_manifest *m, const char *name, uint64_t bytes,
                                      const st_digest *digest)
{
    return add_file(m, &m->inputs, &m->input_count, &m->input_capacity, st_str_from(name),
                    (st_manifest_file){.bytes = bytes, .lines = -1, .digest = *digest});
}

st_status st_manifest_write_output(st_manifest *m, const char *folder, const char *name,
                                   st_str bytes, int64_t lines)
{
    const char *path;
    ST_TRY(st_path_join(m->arena, &path, folder, name));
    ST_TRY(st_file_write(path, bytes.data ? bytes.data : "", bytes.size));
    return add_file(m, &m->outputs, &m->output_count, &m->output_capacity, st_str_from(name),
                    (st_manifest_file){.bytes = bytes.size,
                                       .lines = lines,
                                       .digest = st_digest_of(bytes.data, bytes.size)});
}

st_status st_manifest_add_output(st_manifest *m, const char *folder, const char *name)
{
    const char *path;
    st_manifest_file file = {.lines = -1};
    ST_TRY(st_path_join(m->arena, &path, folder, name));
    ST_TRY(st_file_size(path, &file.bytes));
    ST_TRY(st_digest_of_file(&file.digest, path));
    return add_file(m, &m->outputs, &m->output_count, &m->output_capacity, st_str_from(name), file);
}

static void add_hashed(st_sha256 *hash, st_str text)
{
    const uint64_t size = text.size;        /* the length keeps "ab","c" and "a","bc" apart */
    for (int i = 0; i < 8; i++) {
        const unsigned char byte = (unsigned char)(size >> (8 * i));
        st_sha256_add(hash, &byte, 1);
    }
    st_sha256_add(hash, text.data, text.size);
}

st_digest st_manifest_work(const st_manifest *m)
{
    char seed[24];
    snprintf(seed, sizeof seed, "%llu", (unsigned long long)m->seed);
    st_sha256 hash;
    st_sha256_start(&hash);
    add_hashed(&hash, st_str_from(SCHEMA));
    add_hashed(&hash, st_str_from(m->version));
    add_hashed(&hash, st_str_from(m->command));
    add_hashed(&hash, st_str_from(seed));
    add_hashed(&hash, m->settings);
    for (size_t i = 0; i < m->input_count; i++) {
        add_hashed(&hash, st_str_from(m->inputs[i].name));
        st_sha256_add(&hash, m->inputs[i].digest.bytes, sizeof m->inputs[i].digest.bytes);
    }
    return st_sha256_end(&hash);
}

/* --- writing ---------------------------------------------------------------------------------- */

static st_status files_json(st_text *out, const st_manifest_file *files, size_t count)
{
    st_json_writer w;
    char hex[65];
    st_json_write_start(&w, out, ST_JSON_COMPACT);
    st_json_write_array(&w);
    for (size_t i = 0; i < count; i++) {
        st_json_write_object(&w);
        st_json_put_int(&w, "bytes", (int64_t)files[i].bytes);
        if (files[i].lines >= 0)
            st_json_put_int(&w, "lines", files[i].lines);
        st_json_put_text(&w, "name", files[i].name);
        st_json_put_text(&w, "sha256", st_digest_print(hex, &files[i].digest));
        st_json_write_end(&w);
    }
    st_json_write_end(&w);
    return st_text_check(out);
}

static st_status text_json(st_text *out, const char *text)
{
    st_json_writer w;
    st_json_write_start(&w, out, ST_JSON_COMPACT);
    st_json_write_text(&w, text);
    return st_text_check(out);
}

/* Add what every manifest says to a copy of `m`, so that one loop writes all keys sorted. */
static st_status add_common_sections(st_manifest *m, st_text *scratch)
{
    char hex[65];
    const st_digest work = st_manifest_work(m);
    const struct {
        const char *key, *text;
    } texts[] = {{"command", m->command},
                 {"schema", SCHEMA},
                 {"version", m->version},
                 {"work", st_digest_print(hex, &work)}};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        st_text_clear(scratch);
        ST_TRY(text_json(scratch, texts[i].text));
        ST_TRY(st_manifest_add_section(m, texts[i].key, scratch));
    }
    st_text_clear(scratch);
    st_text_addf(scratch, "%llu", (unsigned long long)m->seed);
    ST_TRY(st_manifest_add_section(m, "seed", scratch));
    st_text_clear(scratch);
    st_text_add_bytes(scratch, m->settings.data, m->settings.size);
    ST_TRY(st_manifest_add_section(m, "settings", scratch));
    st_text_clear(scratch);
    ST_TRY(files_json(scratch, m->inputs, m->input_count));
    ST_TRY(st_manifest_add_section(m, "inputs", scratch));
    st_text_clear(scratch);
    ST_TRY(files_json(scratch, m->outputs, m->output_count));
    return st_manifest_add_section(m, "outputs", scratch);
}

static st_status write_sorted(st_text *out, st_manifest *m)
{
    qsort(m->sections, m->section_count, sizeof *m->sections, section_order);
    st_json_writer w;
    st_json_write_start(&w, out, ST_JSON_PRETTY);
    st_json_write_object(&w);
    for (size_t i = 0; i < m->section_count; i++) {
        ST_ASSERT(i == 0 || strcmp(m->sections[i - 1].key, m->sections[i].key) != 0);
        st_json_doc *doc;
        ST_TRY(st_within(st_json_parse(&doc, m->sections[i].json), "manifest: %s",
                         m->sections[i].key));
        st_json_write_key(&w, m->sections[i].key);
        st_json_write_value(&w, st_json_root(doc));
        st_json_free(doc);
    }
    st_json_write_end(&w);
    st_text_add(out, "\n");
    return st_text_check(out);
}

st_status st_manifest_write(const st_manifest *m, const char *folder)
{
    st_manifest whole = *m;
    whole.section_capacity = 0;             /* the copy grows its own list */
    whole.sections = NULL;
    whole.section_count = 0;
    st_text text;
    st_text_init(&text);
    st_status s;
    const char *path;
    ST_TRY_OR(s, out, ST_GROW(m->arena, &whole.sections, &whole.section_capacity,
                              m->section_count + 1));
    for (size_t i = 0; i < m->section_count; i++)
        whole.sections[whole.section_count++] = m->sections[i];
    ST_TRY_OR(s, out, add_common_sections(&whole, &text));
    st_text_clear(&text);
    ST_TRY_OR(s, out, write_sorted(&text, &whole));
    ST_TRY_OR(s, out, st_path_join(m->arena, &path, folder, "manifest.json"));
    s = st_file_write(path, text.data, text.size);
out:
    st_text_free(&text);
    return s;
}

/* --- finished? -------------------------------------------------------------------------------- */

/* Whether an entry of "outputs" is in the folder, with its digest. */
static bool output_stands(const char *folder, const st_json *entry)
{
    st_str name, sha;
    if (st_json_text(st_json_member(entry, "name"), &name).code != ST_OK ||
        st_json_text(st_json_member(entry, "sha256"), &sha).code != ST_OK)
        return false;
    st_arena arena;
    st_arena_init(&arena, "output");
    const char *path;
    st_digest digest;
    char hex[65];
    const bool stands = st_path_join(&arena, &path, folder, name.data).code == ST_OK &&
                        st_file_exists(path) && st_digest_of_file(&digest, path).code == ST_OK &&
                        st_str_is(sha, st_digest_print(hex, &digest));
    st_arena_free(&arena);
    return stands;
}

static bool manifest_holds(st_json root, const char *work, const char *folder)
{
    st_str text;
    if (st_json_text(st_json_member(&root, "work"), &text).code != ST_OK || !st_str_is(text, work))
        return false;
    const st_json outputs = st_json_member(&root, "outputs");
    if (st_json_kind_of(outputs) != ST_JSON_ARRAY)
        return false;
    for (size_t i = 0; i < st_json_count(outputs); i++) {
        const st_json entry = st_json_element(&outputs, i);
        if (!output_stands(folder, &entry))
            return false;
    }
    return true;
}

st_status st_manifest_find_finished(st_json_doc **found, const st_manifest *m, const char *folder)
{
    *found = NULL;
    const char *path;
    ST_TRY(st_path_join(m->arena, &path, folder, "manifest.json"));
    st_json_doc *doc;
    if (!st_file_exists(path) || st_json_load(&doc, path).code != ST_OK)
        return st_ok();                     /* nothing there, or not a manifest: not finished */
    char work[65];
    const st_digest digest = st_manifest_work(m);
    if (manifest_holds(st_json_root(doc), st_digest_print(work, &digest), folder))
        *found = doc;
    else
        st_json_free(doc);
    return st_ok();
}

st_status st_manifest_command(const char **command, st_arena *arena, const char *folder)
{
    const char *path;
    st_json_doc *doc;
    st_str name;
    *command = NULL;
    ST_TRY(st_path_join(arena, &path, folder, "manifest.json"));
    if (!st_file_exists(path) || st_json_load(&doc, path).code != ST_OK)
        return st_ok();
    const st_json root = st_json_root(doc);
    st_status s = st_ok();
    if (st_json_text(st_json_member(&root, "command"), &name).code == ST_OK)
        s = st_arena_copy_text(arena, command, name.data, name.size);
    st_json_free(doc);
    return s;
}

/* --- run.json --------------------------------------------------------------------------------- */

static void write_run(st_json_writer *w, const st_run *run)
{
    char host[256] = "", start[32] = "";
    if (gethostname(host, sizeof host - 1) != 0)
        host[0] = '\0';
    const time_t seconds = (time_t)run->start_unix_s;
    struct tm utc;
    if (gmtime_r(&seconds, &utc))
        strftime(start, sizeof start, "%Y-%m-%dT%H:%M:%SZ", &utc);

    double total_s = 0.0;
    st_json_write_object(w);
    st_json_put_text(w, "command_line", run->command_line);
    st_json_put_text(w, "commit", run->commit);
    st_json_put_text(w, "host", host);
    st_json_write_key(w, "inputs");
    st_json_write_array(w);
    for (size_t i = 0; i < run->input_count; i++)
        st_json_write_text(w, run->inputs[i]);
    st_json_write_end(w);
    st_json_put_int(w, "jobs", run->jobs);
    st_json_write_key(w, "stages_s");
    st_json_write_object(w);
    for (int i = 0; i < run->stage_count; i++) {
        st_json_put_double(w, run->stages[i].name, st_round_decimals(run->stages[i].seconds, 6));
        total_s += run->stages[i].seconds;
    }
    st_json_write_end(w);
    st_json_put_text(w, "started", start);
    st_json_put_double(w, "total_s", st_round_decimals(total_s, 6));
    st_json_put_text(w, "version", run->version);
    st_json_write_end(w);
}

st_status st_run_write(const st_run *run, const char *folder)
{
    st_text text;
    st_text_init(&text);
    st_arena arena;
    st_arena_init(&arena, "run");
    st_json_writer w;
    st_json_write_start(&w, &text, ST_JSON_PRETTY);
    write_run(&w, run);
    st_text_add(&text, "\n");

    st_status s;
    const char *path;
    ST_TRY_OR(s, out, st_text_check(&text));
    ST_TRY_OR(s, out, st_path_join(&arena, &path, folder, "run.json"));
    s = st_file_write(path, text.data, text.size);
out:
    st_arena_free(&arena);
    st_text_free(&text);
    return s;
}
