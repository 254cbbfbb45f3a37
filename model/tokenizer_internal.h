/* tokenizer_internal.h - what a tokenizer holds; shared by tokenizer_read.c (files to tables),
 * tokenizer_split.c (text to pieces), tokenizer.c (pieces to ids, ids to text). */
#ifndef ST_MODEL_TOKENIZER_INTERNAL_H
#define ST_MODEL_TOKENIZER_INTERNAL_H

#include "model/tokenizer.h"

typedef struct sti_token {
    st_str name;                    /* as the file spells it                     */
    st_str bytes;                   /* what it stands for                        */
    bool   special;
} sti_token;

/* left,right -> merged, with the rank of the merge. A slot with left -1 is empty. */
typedef struct sti_merge {
    int32_t left, right, merged;
    uint32_t rank;
} sti_merge;

typedef struct sti_added {
    st_str  content;
    int32_t id;
    bool    normalized;             /* matched after normalisation, not before   */
} sti_added;

enum { STI_PATTERNS_MAX = 4 };

struct st_tokenizer {
    st_arena    arena;
    sti_token  *tokens;             /* by id; name.data NULL where no token is   */
    int64_t     size;
    int32_t    *by_name;            /* hash table of ids, -1 empty               */
    size_t      by_name_mask;
    sti_merge  *merges;             /* hash table                                */
    size_t      merge_mask;
    int32_t     byte_id[256];
    sti_added  *added;              /* longest first                             */
    size_t      added_count;
    bool        added_first[256];   /* some added token starts with this byte    */
    bool        nfc;
    bool        ignore_merges;      /* a piece that is a token as a whole is not merged */
    bool        known_pattern;      /* the one the hand-written splitter follows */
    st_pattern *patterns[STI_PATTERNS_MAX];
    int         pattern_count;
};

/* Printable bytes stand for themselves, the other 68 for U+0100 upwards. letter[byte] is a code
 * point, byte_of[code point] a byte or -1. */
enum { STI_ALPHABET_LETTERS = 0x200 };
void sti_byte_alphabet(uint32_t letter[256], int byte_of[STI_ALPHABET_LETTERS]);

/* The pattern of the Qwen family, which tokenizer_split.c also knows by hand. */
extern const char sti_known_pattern[];

/* Length of the piece at text[at], by the hand-written form of sti_known_pattern; at < size. */
size_t sti_split_known(st_str text, size_t at);

/* Slots of the two tables. */
int32_t          sti_name_find(const st_tokenizer *tokenizer, st_str name);
const sti_merge *sti_merge_find(const st_tokenizer *tokenizer, int32_t left, int32_t right);
size_t           sti_merge_slot(const st_tokenizer *tokenizer, int32_t left, int32_t right);

#endif
