/* init.h - a complete model folder out of nothing: random weights, and a tokenizer of bytes.
 *
 * May include: kernels/base, model/config.h.
 */
#ifndef ST_MODEL_INIT_H
#define ST_MODEL_INIT_H

#include "kernels/base/progress.h"
#include "kernels/base/status.h"
#include "model/config.h"

typedef struct st_init_options {
    st_model_preset preset;
    const char     *tokenizer_folder;   /* whose files are copied; NULL: bytes and specials */
    uint64_t        seed;
    int             jobs;               /* threads; 0 one per core */
    st_voice        voice;
} st_init_options;

/* Write FOLDER/config.json, ttt_config.json, preprocessor_config.json, generation_config.json, the
 * tokenizer and model.safetensors (bf16). Weights start as model.md 7.14 says and, in the backbone,
 * as N(0, 0.02), norms 1, biases 0; the same seed gives the same bytes on any number of threads.
 * They stream to disk: memory stays at some megabytes for any size. config.json is written last,
 * so a folder that was interrupted is not a model.
 *
 * A tokenizer that has more tokens than the preset has rows makes the embedding larger, to the
 * next multiple of 128; ids in config.json are those of the tokenizer.
 *
 * Fails   ST_ERR_USAGE the folder already holds a config.json; ST_ERR_DATA a tokenizer without the
 *         tokens the layout needs; ST_ERR_IO.
 */
ST_CHECKED st_status st_model_init(const char *folder, const st_init_options *options);

/* tokenizer.json of 256 bytes (ids 0..255) and the family's added tokens from 256 on; the list of
 * merges is empty. */
void st_byte_tokenizer_write(st_text *json);

#endif
