/* tokenizer.h - text to token ids and back: byte-level BPE as the model's own files describe it.
 *
 * Added tokens ("<|im_start|>") are cut out first; what lies between is normalised, split into
 * pieces by the file's pattern, and each piece is merged from single bytes upwards. Ids come from
 * the files alone. A tokenizer is read-only once loaded and may be shared by threads; each thread
 * brings an encoder, which remembers the pieces it has met.
 *
 * May include: kernels/base.
 */
#ifndef ST_MODEL_TOKENIZER_H
#define ST_MODEL_TOKENIZER_H

#include "kernels/base/status.h"
#include "kernels/base/text.h"

typedef struct st_tokenizer st_tokenizer;
typedef struct st_encoder   st_encoder;

/* Load FOLDER/tokenizer.json, or vocab.json with merges.txt (and tokenizer_config.json for the
 * added tokens).
 *
 * Fails   ST_ERR_IO none of them; ST_ERR_DATA vocab.json without merges.txt, a merge of unknown
 *         tokens, a byte without a token; ST_ERR_UNSUPPORTED another model than byte-level BPE, or
 *         a step of the file this program does not perform.
 * Source  model.md 3.1; Sennrich et al. 2016; Radford et al. 2019 for the byte alphabet.
 */
ST_CHECKED st_status st_tokenizer_load(st_tokenizer **tokenizer, const char *folder);

/* The text of a tokenizer.json. */
ST_CHECKED st_status st_tokenizer_parse(st_tokenizer **tokenizer, st_str json);
void st_tokenizer_free(st_tokenizer *tokenizer);

/* One above the highest id. */
int64_t st_tokenizer_size(const st_tokenizer *tokenizer);

/* The id of an added token, or of a vocabulary entry spelt as in the file; -1 for neither. */
int64_t st_tokenizer_id(const st_tokenizer *tokenizer, const char *token);

/* The bytes an id stands for; {"",0} for an id that has none. */
st_str st_tokenizer_bytes(const st_tokenizer *tokenizer, int64_t id);
bool   st_tokenizer_is_special(const st_tokenizer *tokenizer, int64_t id);

/* --- text to ids ----------------------------------------------------------------------------- */

ST_CHECKED st_status st_encoder_create(st_encoder **encoder, const st_tokenizer *tokenizer);
void st_encoder_free(st_encoder *encoder);

/* ids  (T), borrowed until the next call on this encoder.
 *
 * Fails   ST_ERR_FORMAT text is not UTF-8, with the offset; ST_ERR_MEMORY.
 */
ST_CHECKED st_status st_encode(st_encoder *encoder, const int64_t **ids, size_t *count,
                               st_str text);

/* --- ids to text ----------------------------------------------------------------------------- */

typedef enum st_specials { ST_SPECIALS_KEEP, ST_SPECIALS_SKIP } st_specials;

/* Decodes token by token. A token may end inside a character: its first bytes are held back until
 * the rest has come. Bytes that can be no character become U+FFFD. */
typedef struct st_decoder {
    const st_tokenizer *tokenizer;
    st_specials         specials;
    unsigned char       held[4];
    int                 held_count;
} st_decoder;

st_decoder st_decoder_start(const st_tokenizer *tokenizer, st_specials specials);
void       st_decoder_push(st_decoder *decoder, st_text *out, int64_t id);
void       st_decoder_finish(st_decoder *decoder, st_text *out);

/* All at once. */
void st_decode(const st_tokenizer *tokenizer, st_text *out, const int64_t *ids, size_t count,
               st_specials specials);

#endif
